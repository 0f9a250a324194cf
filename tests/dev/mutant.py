"""Runs simulated clusters with one deliberate mistake until a checker notices: `mutant.py NAME`. Unnoticed is failed."""
import subprocess
import sys

import pieces

SEEDS_MAX = 600
BATCH = 10


def main():
    name = sys.argv[1]
    for first in range(1, SEEDS_MAX + 1, BATCH):
        done = subprocess.run(["build/mutants/simulate", "--mutation", name, "--seed", str(first), "--seeds", str(BATCH)],
                              cwd=pieces.ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 1 and "fails:" in done.stdout:
            print(f"{name}: caught within {first + BATCH - 1} seeds")
            return 0
        if done.returncode != 0:
            print(done.stdout + done.stderr)
            return 1
    print(f"{name}: not caught by {SEEDS_MAX} seeds")
    return 1


pieces.on_interrupt(main)
