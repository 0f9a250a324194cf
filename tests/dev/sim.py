"""`./dev sim [--seed FIRST] [--seeds N] [--nodes N] [--grows] [--upgrades] [--backups] [--moves]`: simulated clusters, one a seed, spread over the cores."""
import argparse
import subprocess

import pieces
import suite


def main():
    parser = argparse.ArgumentParser(prog="./dev sim")
    parser.add_argument("--seed", type=int, metavar="FIRST", help="default 1; alone: just this one")
    parser.add_argument("--seeds", type=int, metavar="N", help=f"default {suite.SIM_SEEDS}")
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help="default 3")
    parser.add_argument("--grows", action="store_true", help="nodes join, and one leaves")
    parser.add_argument("--upgrades", action="store_true", help="nodes of two versions are upgraded")
    parser.add_argument("--backups", action="store_true", help="backups are taken meanwhile")
    parser.add_argument("--moves", action="store_true", help="clients go from worker to worker")
    options = parser.parse_args()
    kinds = [f"--{name}" for name in ("grows", "upgrades", "backups", "moves") if getattr(options, name)]
    first = 1 if options.seed is None else options.seed
    seeds = options.seeds or (suite.SIM_SEEDS if options.seed is None else 1)
    built = pieces.run_build("build/release", suite.build_command("release", "simulate"))
    if built.failed:
        return pieces.finish(None, "./dev sim", [built])
    if seeds == 1:
        return subprocess.call(["build/release/simulate", "--seed", str(first), "--seeds", "1",
                                "--nodes", str(options.nodes), *kinds], cwd=pieces.ROOT)
    outcomes = pieces.run(suite.sims("release", first, seeds, options.nodes, kinds), suite.CORES)
    return pieces.finish("sim", f"./dev sim --seed {first} --seeds {seeds} --nodes {options.nodes} {' '.join(kinds)}".strip(), outcomes)


pieces.on_interrupt(main)
