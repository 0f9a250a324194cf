"""`./dev test`: builds everything and runs every test in its short form."""
import time

import pieces
import suite


def builds():
    wanted = [("release", []), ("dev", []), ("tsan", suite.thread_targets())]
    wanted.append(("asserts", ["raft_sim"]))
    if suite.mutants():
        wanted.append(("mutants", ["simulate", "raft_sim", "store_sim"]))
    return [pieces.run_build(f"build/{preset}", suite.build_command(preset, *targets))
            for preset, targets in wanted if preset != "tsan" or targets]


def main():
    started = time.monotonic()
    outcomes = builds()
    if any(each.failed for each in outcomes):  # what is not built cannot be tested
        return pieces.finish("test", "./dev test", outcomes)
    beside, alone = [], []
    for preset, folders in (("release", None), ("dev", None), ("tsan", suite.THREADS)):
        by_side, by_itself = suite.unit(preset, folders)
        beside += by_side
        alone += by_itself
    for preset in ("release", "asserts"):
        beside += suite.raft_sims(preset, 1, suite.RAFT_SEEDS)
    beside += suite.sims("release", 1, suite.SIM_SEEDS, 3)
    beside += suite.sims("release", 1, suite.GROWING_SEEDS, 3, ["--grows"])
    beside += suite.sims("release", 1, suite.UPGRADE_SEEDS, 3, ["--upgrades"])
    beside += suite.sims("release", 1, suite.FROM_ONE_SEEDS, 1, ["--grows"])
    beside += suite.sims("release", 1, suite.BACKUP_SEEDS, 3, ["--backups"])
    beside += suite.sims("release", 1, suite.MOVING_SEEDS, 3, ["--moves"])
    beside += suite.mutants() + suite.lint() + suite.fuzzers()
    outcomes += pieces.run(beside, suite.CORES)
    outcomes += pieces.run(alone + suite.e2e() + suite.deploy(), 1)
    print(f"in {(time.monotonic() - started) / 60:.1f} minutes")
    return pieces.finish("test", "./dev test", outcomes)


pieces.on_interrupt(main)
