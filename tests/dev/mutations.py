"""Runs a simulation with one deliberate mistake until it notices; unnoticed is failed. For the scripts of each simulation."""
import subprocess
import sys

import pieces

BATCH = 10


def is_caught(program, name, options):
    done = subprocess.run([f"build/mutants/{program}", "--mutation", name, *options], cwd=pieces.ROOT,
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return False
    if done.returncode != 1 or "fails:" not in done.stdout:
        print(done.stdout + done.stderr)
        sys.exit(1)
    return True


def catch(program, kinds, known):
    """Of the name that the command line gives. A kind: (its name, options of the program, seeds at most; 0: not by seeds).

    known: of mistakes that few seeds show, one that did; its batch is tried first.
    """
    name = sys.argv[1]
    for kind, options, seeds_max in kinds:
        if seeds_max == 0 and is_caught(program, name, options):
            print(f"{name}: caught by {kind}")
            return 0
        batches = list(range(1, seeds_max + 1, BATCH))
        if name in known:
            batches.insert(0, known[name] - (known[name] - 1) % BATCH)
        for first in batches:
            if is_caught(program, name, [*options, "--seed", str(first), "--seeds", str(BATCH)]):
                print(f"{name}: caught by {kind}, seeds {first} to {first + BATCH - 1}")
                return 0
    print(f"{name}: not caught")
    return 1


def run(program, kinds, known=None):
    pieces.on_interrupt(lambda: catch(program, kinds, known or {}))
