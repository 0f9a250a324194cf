"""`./dev bench instructions`: instructions of the publish path a delivered message, counted by callgrind.

No clock and no other process has a part in the figure: it is the same each time, and shows what a change costs to the
instruction. It is the broker's part, from the bytes read to the bytes to be written; the kernel's is not in it.
"""
import re
import subprocess
import time

import pieces
from loopback import Failure

PROGRAM = "build/release/publish_path"
SCENARIOS = ["pairs-qos0", "pairs-qos0-v5", "pairs-qos0-one", "pairs-qos1", "fan-out-qos0", "fan-out-qos1", "shared-qos1"]
ROUNDS = (20, 40)  # after the first, nothing is allocated or cached for the first time


def instructions(scenario, rounds):
    """(counted, messages a round)"""
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", PROGRAM, scenario, str(rounds)],
                          cwd=pieces.ROOT, capture_output=True, text=True, check=False, timeout=900)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not counted:
        raise Failure(f"{PROGRAM} {scenario} under valgrind: status {done.returncode}: {done.stderr[-500:]}")
    return int(counted.group(1)), int(done.stdout)


def count(unused_options):
    started, lines = time.monotonic(), []
    for scenario in SCENARIOS:
        (few, messages), (many, _) = (instructions(scenario, rounds) for rounds in ROUNDS)
        lines.append(f"| {scenario} | {(many - few) / (messages * (ROUNDS[1] - ROUNDS[0])):,.0f} |")
        print(lines[-1], flush=True)
    text = "\n| scenario | instructions a delivered message |\n|---|---|\n" + "\n".join(lines) + "\n"
    outcome = pieces.Outcome("scenarios", len(lines), 0, [], time.monotonic() - started)
    return pieces.finish("bench-instructions", "./dev bench instructions", [outcome], text)
