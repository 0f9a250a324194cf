"""`./dev bench durable`: what durable sessions cost and how fast they are, on one node and on three, with every write synced.

Nodes, load generator and disk are this machine's; so its own time for one sync stands above the figures. Rates depend on how
busy the machine is, microseconds of CPU a message (all nodes, user and system) much less. Every message is checked: one that
is lost, doubled or out of order fails its row.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import select
import statistics
import subprocess
import sys
import tempfile
import time

import bench_failover
import bench_report
import pieces
from loopback import SHOAL, Failure

sys.path.insert(0, str(pieces.ROOT / "tests/e2e"))
import harness  # noqa: E402 pylint: disable=wrong-import-position

FOLDER = pieces.ROOT / "build/bench"
SLOW_SYNC = pieces.ROOT / "build/release/libslow_sync.so"
SLOW_SYNC_MS = 5
# Nothing of a queue may be dropped.
OPTIONS = ("--max-queued", "10000000", "--max-queued-bytes", "4GiB", "--log-level", "warning")
READY_S, LOAD_S = 120, 900


@dataclasses.dataclass
class Row:
    key: str
    title: str
    options: str
    nodes: int
    slow: bool = False      # syncs that take SLOW_SYNC_MS longer
    wanted_rate: float = 0  # acknowledged messages a second, at least
    timed: bool = True      # not by a number of messages


def rows_of(nodes):
    name = "one node" if nodes == 1 else "three nodes"
    pairs = "pairs -q 1 --publishers 100"

    def row(key, title, options, **more):
        return Row(f"{key}-{nodes}", f"{name}, {title}", options, nodes, **more)
    return [
        row("online", "100 pairs, 16 B, window 20", f"{pairs} --durable", wanted_rate=20000 if nodes == 3 else 0),
        row("online-1k", "100 pairs, 1 KiB, window 20", f"{pairs} --durable --size 1024"),
        row("online-paced", "100 pairs, 16 B, 2,000 messages/s", f"{pairs} --durable --rate 2000"),
        row("online-slow", f"100 pairs, 16 B, window 100, a sync takes {SLOW_SYNC_MS} ms more",
            f"{pairs} --durable --window 100", slow=True),
        row("online-deep", "100 pairs, 16 B, window 100", f"{pairs} --durable --window 100"),
        row("offline", "100 absent, 16 B, window 20", f"{pairs} --offline", wanted_rate=20000 if nodes == 3 else 0),
        row("offline-1k", "100 absent, 1 KiB, window 20", f"{pairs} --offline --size 1024"),
        row("queue", "1,000 absent x 100, of a publisher each", "pairs -q 1 --publishers 1000 --offline --messages 100",
            timed=False),
        row("queue-fan-out", "1,000 absent x 100, of one publisher", "fan-out -q 1 --subscribers 1000 --offline --messages 100",
            timed=False),
    ]


class Nodes(harness.Cluster):
    """Real nodes with their data below build/bench, so on the disk of the repository."""

    def __init__(self, count, slow=False):
        FOLDER.mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = str(FOLDER)
        self.slow = slow
        super().__init__(count, OPTIONS)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            if self.slow:
                stack.enter_context(environment(LD_PRELOAD=str(SLOW_SYNC), SLOW_SYNC_US=str(SLOW_SYNC_MS * 1000)))
            super().__enter__()
        return self

    def pids(self):
        return [node.process.pid for node in self.nodes]

    def endpoints(self, first=0):
        ports = [node.mqtt_port for node in self.nodes]
        return ",".join(f"127.0.0.1:{port}" for port in ports[first:] + ports[:first])

    def command(self, options):
        """Publishers and the subscribers of the same number are on different nodes, if there are several."""
        return [str(SHOAL), "bench", *options.split(), "--json", "--quiet", "--pid", ",".join(map(str, self.pids())),
                "--publish-to", self.endpoints(), "--subscribe-from", self.endpoints(len(self.nodes) - 1)]

    def status(self, field):
        """MiB, the most of all nodes."""
        texts = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.pids()]
        return max(int(text.split(f"{field}:")[1].split()[0]) / 1024 for text in texts)

    def wait_ready(self):
        harness.wait_until(lambda: all(node.is_ready() for node in self.nodes), READY_S, "all nodes are ready", 0.02)


@contextlib.contextmanager
def environment(**values):
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            del os.environ[name]


def checked(command, status, out, err):
    """The result of a run of `shoal bench`."""
    if status != 0 or not out:
        raise Failure(f"{' '.join(command[1:])}: status {status}: {err}{out}")
    result = json.loads(out)
    if result["duplicated"]:
        raise Failure(f"{' '.join(command[1:])}: {result['duplicated']} doubled")
    return result


def run_row(row, seconds):
    with Nodes(row.nodes, row.slow) as nodes:
        command = nodes.command(row.options)
        if row.timed:
            command += ["--warm-up", "1s", "--duration", f"{seconds}s"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_S, check=False)
        return checked(command, done.returncode, done.stdout, done.stderr)


# ---- a million messages -------------------------------------------------------------------------


class Queueing:
    """`shoal bench` that has queued messages for absent sessions, and waits with their return."""

    def __init__(self, nodes, each):
        self.command = nodes.command(f"pairs -q 1 --publishers 100 --window 100 --offline --pause --messages {each}")
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def wait(self):
        ready, _, _ = select.select([self.process.stderr], [], [], LOAD_S)
        if not ready or not self.process.stderr.readline().startswith("published"):
            self.process.kill()
            raise Failure(f"{' '.join(self.command[1:])}: {self.process.communicate()[1]}")

    def drain(self):
        out, err = self.process.communicate("\n", timeout=LOAD_S)
        return checked(self.command, self.process.returncode, out, err)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def million(count, scale=1):
    """On so many nodes: memory as the queues grow, kill -9 of all, the start, and that all is there."""
    with Nodes(count) as nodes, contextlib.ExitStack() as stack:
        result = {"nodes": count, "MiB": {0: nodes.status("VmRSS")}}
        loads, queued = [], 0
        for each in (2500, 7500, 10000):
            each = max(1, int(each * scale))
            load = Queueing(nodes, each)
            stack.callback(load.end)
            load.wait()
            loads.append(load)
            queued += 100 * each
            result["MiB"][queued] = nodes.status("VmHWM")
        for node in nodes.nodes:
            node.kill()
        began = time.monotonic()
        for node in nodes.nodes:
            node.start()
        nodes.wait_ready()
        result["restart_s"] = time.monotonic() - began
        result["restarted_MiB"] = nodes.status("VmHWM")
        drains = [load.drain() for load in loads]
        result["drained"] = sum(drain["drain"]["delivered"] for drain in drains)
        result["drained_s"] = sum(drain["drain"]["seconds"] for drain in drains)
        result["drained_MiB"] = nodes.status("VmHWM")
        if result["drained"] != queued:
            raise Failure(f"{queued} were queued on {count} nodes, {result['drained']} came")
        return result


# ---- the machine --------------------------------------------------------------------------------


def sync_times_ms(count=400):
    """Of 512 bytes more in a file and fdatasync, as a log does it: sorted."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    times = []
    with tempfile.NamedTemporaryFile(dir=FOLDER) as file:
        for _ in range(count):
            os.write(file.fileno(), b"x" * 512)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return sorted(times)


def sync_line():
    times = sync_times_ms()
    return (f"- `fdatasync` of 512 bytes more: {statistics.median(times):.2f} ms (median), "
            f"{times[len(times) * 99 // 100]:.2f} ms (p99)\n")


# ---- report -------------------------------------------------------------------------------------


def median_of(results, value):
    return statistics.median(value(result) for result in results)


def rate_of(result):
    return result["acknowledged"] / result["seconds"]


def rate_line(row, results):
    rates = [rate_of(result) for result in results]
    wanted = ""
    if row.wanted_rate:
        wanted = f"{row.wanted_rate:,.0f}: {'met' if statistics.median(rates) >= row.wanted_rate else 'not met'}"
    return (f"| {row.title} | {statistics.median(rates):,.0f} | {min(rates):,.0f} to {max(rates):,.0f} | "
            f"{median_of(results, lambda r: r['ack_latency_us']['p50'] / 1000):.1f} | "
            f"{median_of(results, lambda r: r['ack_latency_us']['p99'] / 1000):.1f} | "
            f"{median_of(results, lambda r: r['cpu_us_each']):.1f} | {wanted} |")


def queue_line(row, results):
    queued = 100_000
    return (f"| {row.title} | {median_of(results, lambda r: queued / r['seconds']):,.0f} | "
            f"{median_of(results, lambda r: r['cpu_us_each']):.1f} | "
            f"{median_of(results, lambda r: r['drain']['delivered'] / r['drain']['seconds']):,.0f} | "
            f"{median_of(results, lambda r: r['drain']['cpu_us_each']):.1f} |")


def rates_table(rows, results):
    lines = ["\n## Acknowledged QoS 1 publishes to durable sessions\n",
             "CPU is of all nodes: of a message to a subscriber that is there with its delivery and acknowledgement, of one "
             "to an absent one until it is in its queue.\n",
             "| load | acknowledged/s | spread | acknowledged after ms, p50 | p99 | CPU us a message | wanted |",
             "|---|---|---|---|---|---|---|"]
    lines += [rate_line(row, results[row.key]) for row in rows if row.timed and results.get(row.key)]
    return "\n".join(lines) + "\n"


def queues_table(rows, results):
    lines = ["\n## Queueing for absent sessions, and draining\n",
             "| load | queued/s | CPU us a message | drained/s | CPU us a message |", "|---|---|---|---|---|"]
    lines += [queue_line(row, results[row.key]) for row in rows if not row.timed and results.get(row.key)]
    return "\n".join(lines) + "\n"


def million_text(results):
    lines = ["\n## Many messages in queues\n",
             "100 absent sessions. Memory is the highest resident of any node so far; then all nodes are killed at once and "
             "started again, and all messages must come.\n"]
    for each in results:
        memory = ", ".join(f"{mib:.0f} MiB with {queued:,} queued" for queued, mib in each["MiB"].items())
        lines.append(f"- Nodes: {each['nodes']}: {memory}; ready {each['restart_s']:.1f} s after the start "
                     f"({each['restarted_MiB']:.0f} MiB); {each['drained']:,} drained in {each['drained_s']:.1f} s "
                     f"(up to {each['drained_MiB']:.0f} MiB)")
    return "\n".join(lines) + "\n"


# ---- all of it ----------------------------------------------------------------------------------


class Parts:
    """Runs them and counts; a part that fails lets the others run."""

    def __init__(self):
        self.passed = self.failed = 0

    def run(self, name, part):
        try:
            value = part()
            self.passed += 1
            return value
        except (Failure, AssertionError, subprocess.SubprocessError, KeyError, OSError) as failure:
            print(f"bench: {name}: {failure}", file=sys.stderr, flush=True)
            self.failed += 1
            return None


def wanted(key, options):
    return not options.rows or key in options.rows.split(",")


def measure_rows(parts, options):
    rows = [row for nodes in (1, 3) for row in rows_of(nodes) if wanted(row.key, options)]
    results = {}
    for number in range(options.rounds):
        for row in rows:
            result = parts.run(row.key, lambda row=row: run_row(row, options.seconds))
            if result:
                results.setdefault(row.key, []).append(result)
                print(f"  round {number + 1}: {row.title}: {rate_of(result):,.0f} acknowledged/s, "
                      f"{result['cpu_us_each']:.1f} us each", flush=True)
    return rows, results


def durable(options):
    started, parts = time.monotonic(), Parts()
    text = "\n" + bench_report.machine() + sync_line()
    text += f"- Rounds: {options.rounds}, of {options.seconds} s a load; figures are medians\n"
    rows, results = measure_rows(parts, options)
    text += rates_table(rows, results) + queues_table(rows, results)
    if wanted("failover", options):
        text += parts.run("failover", lambda: bench_failover.measure(options.rounds)) or ""
    millions = [parts.run(f"million-{count}", lambda count=count: million(count, options.scale))
                for count in (1, 3) if wanted(f"million-{count}", options)]
    text += million_text([each for each in millions if each]) if any(millions) else ""
    print(text, flush=True)
    outcome = pieces.Outcome("durable sessions", parts.passed, parts.failed, [], time.monotonic() - started)
    return pieces.finish(None if options.rows else "bench-durable", "./dev bench durable", [outcome], text)
