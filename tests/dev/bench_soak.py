"""`./dev bench soak`: churn of every kind on three nodes for a bounded time; at the end memory must be flat.

Resident memory of each node is read after each cycle, when all is quiet. It rises while pools and tables find their size; so
the median of the last third of the cycles is compared with that of the second third.
"""
import pathlib
import statistics
import subprocess
import time

import pieces
from bench_rows import Row
from brokers import Shoal, load
from loopback import SHOAL, Failure

CYCLES_MIN = 9
GROWTH_MAX = 1.08
GROWTH_MAX_MIB = 4  # arenas of the allocator find their size slowly; what leaks with each message or client is more
QUIET_S = 7         # sessions expire, tables settle

LOADS = [
    Row("connect", "connects", "connect", "--connecting 50"),
    Row("storm", "a storm of connections", "idle", "--clients 2000 --connecting 2000 --subscribed"),
    Row("pairs-0", "pairs, QoS 0", "pairs", "-q 0"),
    Row("pairs-1", "pairs, QoS 1, 3.1.1", "pairs", "-q 1 -V 311"),
    Row("pairs-2", "pairs, QoS 2", "pairs", "-q 2"),
    Row("large", "large payloads", "pairs", "--publishers 4 --window 4 -q 1 --size 1MiB"),
    Row("durable", "sessions that outlive their connections", "pairs", "-q 1 --durable"),
    Row("fan-out", "fan-out", "fan-out", "--subscribers 500 -q 1"),
    Row("fan-in", "fan-in", "fan-in", "--publishers 200 -q 0 --rate 5000"),
    Row("shared", "shared subscriptions", "shared", "--publishers 50 --subscribers 7 -q 1"),
    Row("filters", "wildcard filters", "pairs", "--publishers 20 --topics 50 --filters 500 -q 0"),
]


def rss_mib(pid):
    for text in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith("VmRSS:"):
            return int(text.split()[1]) / 1024
    raise Failure(f"a node ended (pid {pid})")


def retained_churn(cluster, cycle):
    """Retained messages come, are replaced and go, and a will is published."""
    port = str(cluster.ports[cycle % len(cluster.ports)])
    for words in (["-m", f"kept in cycle {cycle}"], ["-m", ""]):
        subprocess.run([SHOAL, "pub", "-p", port, "-t", f"soak/{cycle}", "-r", "-q", "1", *words],
                       check=True, capture_output=True, timeout=60)


def run_cycle(cluster, cycle):
    """The failures of one cycle."""
    failures = []
    # Which node gets publishers, and which subscribers, goes round.
    cluster.ports = cluster.ports[1:] + cluster.ports[:1]
    for row in LOADS:
        try:
            load(cluster, row, 2)
        except (Failure, subprocess.SubprocessError) as failure:
            failures.append(f"cycle {cycle}: {failure}")
    retained_churn(cluster, cycle)
    return failures


def is_flat(samples):
    """Of one node, a sample a cycle."""
    third = len(samples) // 3
    before, after = statistics.median(samples[third:2 * third]), statistics.median(samples[2 * third:])
    return after <= max(before * GROWTH_MAX, before + GROWTH_MAX_MIB)


def soak(options):
    started, failures = time.monotonic(), []
    with Shoal(nodes=3, options=["--session-expiry-max", "3s"]) as cluster:
        samples = [[] for _ in cluster.pids()]
        cycle = 0
        while cycle < CYCLES_MIN or time.monotonic() - started < options.minutes * 60:
            failures += run_cycle(cluster, cycle)
            time.sleep(QUIET_S)
            for node, pid in enumerate(cluster.pids()):
                samples[node].append(rss_mib(pid))
            cycle += 1
            print(f"soak: cycle {cycle}, MiB resident: " + ", ".join(f"{s[-1]:.1f}" for s in samples), flush=True)
    for failure in failures:
        print(f"soak: {failure}")
    seconds = time.monotonic() - started
    outcomes = [pieces.Outcome("loads", cycle * len(LOADS) - len(failures), len(failures), [], seconds)]
    for node, of_node in enumerate(samples, 1):
        flat = is_flat(of_node)
        outcomes.append(pieces.Outcome(f"memory of node {node} is flat", int(flat), int(not flat), [], seconds))
    text = "\nMiB resident after each cycle:\n\n" + "".join(
        f"- node {n}: " + ", ".join(f"{v:.1f}" for v in of_node) + "\n" for n, of_node in enumerate(samples, 1))
    return pieces.finish("bench-soak", "./dev bench soak", outcomes, text)
