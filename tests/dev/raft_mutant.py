"""Runs the Raft seam with one deliberate mistake until something notices: `raft_mutant.py NAME`. Unnoticed is failed."""
import subprocess
import sys

import pieces

BATCH = 10
# The directed schedules first, then seeds of each kind, the quickest to catch most first.
KINDS = [("directed", ["--directed"], 1),
         ("hard", ["--mix", "hard"], 200),
         ("mix", ["--mix", "mix"], 200),
         ("five", ["--mix", "hard", "--nodes", "5"], 100),
         ("lone", ["--mix", "plain", "--nodes", "1"], 50)]


def is_caught(name, options):
    done = subprocess.run(["build/mutants/raft_sim", "--mutation", name, *options], cwd=pieces.ROOT,
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return False
    if done.returncode != 1 or "fails:" not in done.stdout:
        print(done.stdout + done.stderr)
        sys.exit(1)
    return True


def main():
    name = sys.argv[1]
    for kind, options, seeds_max in KINDS:
        for first in range(1, seeds_max + 1, BATCH):
            seeds = [] if kind == "directed" else ["--seed", str(first), "--seeds", str(BATCH)]
            if is_caught(name, options + seeds):
                print(f"{name}: caught by {kind}" + (f", within {first + BATCH - 1} seeds" if seeds else ""))
                return 0
    print(f"{name}: not caught")
    return 1


pieces.on_interrupt(main)
