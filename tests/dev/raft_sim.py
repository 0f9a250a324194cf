"""`./dev raft-sim`: simulated Raft groups, one set a seed, spread over the cores; on Debian's libraft or on one that
checks itself (--asserts). Without --mix every kind gets its share of the seeds."""
import argparse
import subprocess

import pieces
import suite


def main():
    parser = argparse.ArgumentParser(prog="./dev raft-sim")
    parser.add_argument("--asserts", action="store_true", help="on a build of libraft with its assertions on")
    parser.add_argument("--seed", type=int, metavar="FIRST", help="default 1; alone: just this one, with --mix")
    parser.add_argument("--seeds", type=int, metavar="N", help=f"default {suite.RAFT_SEEDS}")
    parser.add_argument("--nodes", type=int, default=3, choices=(1, 3, 5), help="that found each group; default 3")
    parser.add_argument("--mix", choices=("plain", "mix", "hard", "slow", "grows"))
    options = parser.parse_args()
    preset = "asserts" if options.asserts else "release"
    built = pieces.run_build(f"build/{preset}", suite.build_command(preset, "raft_sim"))
    if built.failed:
        return pieces.finish(None, "./dev raft-sim", [built])
    first = 1 if options.seed is None else options.seed
    seeds = options.seeds or (suite.RAFT_SEEDS if options.seed is None else 1)
    if seeds == 1:
        return subprocess.call([f"build/{preset}/raft_sim", "--seed", str(first), "--nodes", str(options.nodes),
                                "--mix", options.mix or "mix"], cwd=pieces.ROOT)
    if options.mix:
        wanted = suite.raft_seeds(preset, options.mix, options.nodes, first, seeds, suite.CORES)
    else:
        wanted = suite.raft_sims(preset, first, seeds)
    outcomes = pieces.run(wanted, suite.CORES)
    name = "raft-sim-asserts" if options.asserts else "raft-sim"
    command = f"./dev raft-sim{' --asserts' if options.asserts else ''} --seed {first} --seeds {seeds}"
    if options.mix:
        command += f" --nodes {options.nodes} --mix {options.mix}"
    return pieces.finish(None if options.mix else name, command, outcomes)


pieces.on_interrupt(main)
