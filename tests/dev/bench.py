"""`./dev bench`: what a message costs between nodes and within one, and what an idle connection takes.

Load generator and nodes share this machine, so messages/s are a lower bound; CPU time a message is that of the nodes alone.
"""
import argparse
import json
import subprocess
import sys
import time

import pieces
from loopback import SHOAL, Failure, Loopback, local


def shoal_bench(here, pattern, *options):
    """One run of `shoal bench`; its result, or a Failure with its words."""
    pids = [word for pid in here.pids() for word in ("--pid", str(pid))]
    done = subprocess.run([str(SHOAL), "bench", pattern, "--json", "--quiet", *map(str, options), *pids],
                          capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0 or not done.stdout:
        raise Failure(f"shoal bench {pattern} {options}: status {done.returncode}: {done.stderr}{done.stdout}")
    return json.loads(done.stdout)


def across_nodes(seconds):
    """Publisher on one node of three, subscriber on another."""
    with Loopback("bench", 3) as here:
        here.start_nodes()
        for name, options in (("saturated", ["--window", 2000]), ("10,000/s", ["--rate", 10000])):
            result = shoal_bench(here, "pairs", "--publish-to", local(1, "mqtt"), "--subscribe-from", local(2, "mqtt"),
                                 "--publishers", 1, "--size", 16, "-q", 0, "--duration", f"{seconds}s", *options)
            yield f"three nodes, 1 publisher to 1 subscriber on another, QoS 0, 16 B, {name}", result


def within_one_node(seconds):
    with Loopback("bench", 1) as here:
        here.start_nodes()
        for qos in (0, 1):
            result = shoal_bench(here, "pairs", "-e", local(1, "mqtt"), "--publishers", 100, "--size", 16, "-q", qos,
                                 "--duration", f"{seconds}s")
            yield f"one node, 100 pairs, QoS {qos}, 16 B", result


def idle(connections):
    with Loopback("bench", 1) as here:
        here.start_nodes()
        return shoal_bench(here, "idle", "-e", local(1, "mqtt"), "--clients", connections, "--duration", "5s")


def messages_row(name, result):
    latency = result.get("latency_us", {})
    return (f"| {name} | {result['delivered'] / result['seconds']:,.0f} | {result.get('cpu_us_each', 0):.2f} | "
            f"{latency.get('p50', 0):.0f} | {latency.get('p99', 0):.0f} | {result['lost']} |")


def micro():
    """The micro-benchmarks of tests/bench, as they print themselves."""
    text = []
    for source in sorted((pieces.ROOT / "tests/bench").glob("bench_*.cc")):
        done = subprocess.run([f"build/release/{source.stem}", "--benchmark_min_time=0.2", "--benchmark_color=false"],
                              cwd=pieces.ROOT, capture_output=True, text=True, check=True, timeout=900)
        print(done.stdout, flush=True)
        text.append(f"\n## {source.stem}\n\n```\n{done.stdout.rstrip()}\n```\n")
    return "".join(text)


def measure(name, run, outcomes):
    """Runs one part; a Failure is counted and lets the others run."""
    started = time.monotonic()
    try:
        result, failed = run(), 0
    except (Failure, subprocess.SubprocessError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        result, failed = None, 1
    outcomes.append(pieces.Outcome(name, 1 - failed, failed, [], time.monotonic() - started))
    return result


def main():
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("--seconds", type=int, default=10, metavar="N", help="each load is measured for so long (10)")
    parser.add_argument("--connections", type=int, default=10000, metavar="N", help="idle ones (10000)")
    parser.add_argument("--no-micro", action="store_true", help="leave the micro-benchmarks out")
    options = parser.parse_args()
    outcomes, rows = [], []
    for name, part in (("across nodes", across_nodes), ("within one node", within_one_node)):
        for title, result in measure(name, lambda part=part: list(part(options.seconds)), outcomes) or []:
            rows.append(messages_row(title, result))
            print(rows[-1], flush=True)
    figures = ("\n| load | messages/s | nodes' CPU us a message | latency p50 us | p99 us | lost |\n|---|---|---|---|---|---|\n"
               + "\n".join(rows) + "\n")
    memory = measure("idle connections", lambda: idle(options.connections), outcomes)
    if memory:
        line = f"One node, {memory['connected']:,} idle connections: {memory['bytes_per_connection']:,} bytes each (resident)."
        print(line, flush=True)
        figures += f"\n{line}\n"
    if not options.no_micro:
        figures += measure("micro-benchmarks", micro, outcomes) or ""
    return pieces.finish("bench", "./dev bench", outcomes, figures)


pieces.on_interrupt(main)
