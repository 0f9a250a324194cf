"""`./dev bench`: what a message and a connection cost, beside the floor of this machine and, with `compare`, beside peers.

Load generator and brokers share this machine, so figures are CPU time of the broker's processes, and what counts is their
ratio within one run: all brokers run at once, and the loads go to them in turn.
"""
import argparse
import contextlib
import statistics
import subprocess
import sys
import time

import bench_durable
import bench_instructions
import bench_report
import bench_rows
import bench_scale
import bench_soak
import pieces
from brokers import Broker, Floor, Shoal, load
from loopback import Failure

ONE_WORKER = "one-worker"


class Figures:
    """What was measured: by row and broker, a value a round."""

    def __init__(self):
        self.values = {}   # (row key, broker name) -> [value]
        self.results = {}  # the same -> [whole result]
        self.failures = []

    def add(self, row, name, result):
        self.values.setdefault((row.key, name), []).append(row.value_of(result))
        self.results.setdefault((row.key, name), []).append(result)

    def median(self, row, name):
        values = self.values.get((row.key, name))
        return statistics.median(values) if values else None

    def floor(self, row):
        values = self.values.get((row.floor_key, "floor"))
        return statistics.median(values) if values else None

    def p99_us(self, row, name):
        results = self.results.get((row.key, name), [])
        return statistics.median(r["latency_us"]["p99"] for r in results) if results else None

    def spread(self, row, name):
        values = self.values[(row.key, name)]
        return min(values), max(values)


def measure(figures, row, broker, seconds):
    try:
        figures.add(row, broker.name, load(broker, row, seconds))
    except (Failure, subprocess.SubprocessError, KeyError) as failure:
        print(f"bench: {failure}", file=sys.stderr, flush=True)
        figures.failures.append(f"{row.key} {broker.name}")


def measure_round(figures, rows, make_brokers, seconds):
    """Each load goes to all brokers, one after the other, before the next load."""
    with contextlib.ExitStack() as stack:
        brokers = [stack.enter_context(make()) for make in make_brokers]
        for row in (r for r in rows if not r.is_memory):
            for broker in brokers:
                if not row.tls or broker.has_tls():
                    measure(figures, row, broker, seconds)
            print(bench_report.line(figures, row, [b.name for b in brokers]), flush=True)
    # Memory that an earlier load left behind would be used again: each of these begins with a fresh process.
    for row in (r for r in rows if r.is_memory):
        for make in make_brokers:
            with make() as broker:
                time.sleep(row.settle_s)
                if not row.tls or broker.has_tls():
                    measure(figures, row, broker, 1)
        print(bench_report.line(figures, row, [make().name for make in make_brokers]), flush=True)


def wanted_rows(rows, options):
    return [row for row in rows if not options.rows or row.key in options.rows.split(",")]


def measure_all(figures, options, make_brokers):
    rows = wanted_rows(bench_rows.one_node(options.connections), options)
    cluster = wanted_rows(bench_rows.three_nodes(), options)
    for number in range(options.rounds):
        print(f"bench: round {number + 1} of {options.rounds}", flush=True)
        measure_round(figures, rows, make_brokers, options.seconds)
        if cluster:
            measure_round(figures, cluster, [lambda: Shoal(nodes=3)], options.seconds)
    return rows + cluster


def micro():
    """The micro-benchmarks of tests/bench, as they print themselves."""
    text = []
    for source in sorted((pieces.ROOT / "tests/bench").glob("bench_*.cc")):
        done = subprocess.run([f"build/release/{source.stem}", "--benchmark_min_time=0.2", "--benchmark_color=false"],
                              cwd=pieces.ROOT, capture_output=True, text=True, check=True, timeout=900)
        print(done.stdout, flush=True)
        text.append(f"\n## {source.stem}\n\n```\n{done.stdout.rstrip()}\n```\n")
    return "".join(text)


def outcome_of(name, passed, failed, started):
    return pieces.Outcome(name, passed, failed, [], time.monotonic() - started)


def run_rows(options, make_brokers):
    """Measures; the figures, the rows and the outcome."""
    figures, started = Figures(), time.monotonic()
    rows = measure_all(figures, options, make_brokers)
    measured = len(figures.values)
    return figures, rows, outcome_of("loads", measured, len(figures.failures), started)


def bench(options):
    figures, rows, outcome = run_rows(options, [Floor, Shoal])
    text = bench_report.table(figures, rows, ["floor", "shoal"])
    outcomes = [outcome]
    if options.micro:
        started = time.monotonic()
        text += micro()
        outcomes.append(outcome_of("micro-benchmarks", 1, 0, started))
    return pieces.finish("bench", "./dev bench", outcomes, text)


def compare(options):
    peers = {"mosquitto": "/usr/sbin/mosquitto -c {conf}"}
    for given in options.peer:
        name, _, command = given.partition("=")
        if not command:
            raise Failure(f"--peer: expected NAME=COMMAND, got \"{given}\"")
        peers[name] = command
    # The default is a worker for each core: what it costs to have more than one.
    makes = [Floor, Shoal, lambda: Shoal(options=("--workers", "1"), name=ONE_WORKER)]
    makes += [lambda n=n, c=c: Broker(n, c) for n, c in peers.items()]
    figures, rows, outcome = run_rows(options, makes)
    names = ["floor", "shoal", ONE_WORKER, *peers]
    bench_report.write_performance(figures, rows, names, options)
    return pieces.finish("bench-compare", "./dev bench compare", [outcome], bench_report.table(figures, rows, names))


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("what", nargs="?", choices=("rows", "compare", "soak", "instructions", "durable", "scale"), default="rows",
                        help="rows: Shoal beside the floor (default); compare: also beside peers, writes docs/performance.md; "
                             "soak: churn of every kind, memory must be flat at the end; "
                             "instructions: of the publish path, counted by callgrind; "
                             "durable: sessions that are stored, with synced writes, on one node and on three; "
                             "scale: clusters of 3 to 25 nodes under the virtual clock")
    parser.add_argument("--seconds", type=int, default=5, metavar="N", help="each load is measured for so long (5)")
    parser.add_argument("--connections", type=int, default=10000, metavar="N", help="where memory is measured (10000)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rows: 1; compare: 3; durable: 5")
    parser.add_argument("--rows", metavar="KEY,...", help="only these rows")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND",
                        help="compare: one more broker; {port}, {dir} and {conf} are filled in")
    parser.add_argument("--minutes", type=float, default=10, metavar="N", help="soak: how long (10)")
    parser.add_argument("--scale", type=float, default=1, metavar="N", help="durable: so many times two million messages in queues")
    parser.add_argument("--nodes", metavar="N,...", help="scale: only clusters of so many nodes")
    parser.add_argument("--clients", metavar="N,...", help="scale: only clusters of so many clients")
    parser.add_argument("--large", action="store_true", help="scale: up to a million clients, which takes minutes a cluster and 8 GB")
    parser.add_argument("--no-micro", dest="micro", action="store_false", help="rows: leave the micro-benchmarks out")
    options = parser.parse_args()
    options.rounds = options.rounds or {"compare": 3, "durable": 5}.get(options.what, 1)
    return options


def main():
    options = parse()
    try:
        return {"rows": bench, "compare": compare, "soak": bench_soak.soak,
                "instructions": bench_instructions.count, "durable": bench_durable.durable,
                "scale": bench_scale.scale}[options.what](options)
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1


pieces.on_interrupt(main)
