"""`./dev bench scale`: large clusters under the virtual clock (tests/scale), and what they cost by nodes and by routes.

Each run is one cluster in one process. Bytes and frames are exact; the hubs' work is timed on this machine's processor, and takes so long in
the virtual time too.
"""
import json
import resource
import subprocess
import time

import bench_report
import pieces
from loopback import Failure

PROGRAM = "build/release/scale_sim"
RUN_S = 3600  # the longest run
# (nodes, clients, Mbit/s, further options): what the page has.
RUNS = [(nodes, 100_000, 1000, []) for nodes in (3, 5, 9)] + [(25, 20_000, 1000, []), (3, 100_000, 200, [])]
# With --large, these too: minutes each. Of 25 hubs with a million routes the store's routers would need 3 GB more.
LARGE = [(25, 100_000, 1000, []), (3, 250_000, 1000, [])] + [(nodes, 1_000_000, 1000, []) for nodes in (3, 5, 9)]
LARGE += [(25, 1_000_000, 1000, ["--shards", "0"])]


def command_of(run):
    nodes, clients, mbit, more = run
    return [PROGRAM, "--nodes", str(nodes), "--clients", str(clients), "--mbit", str(mbit), "--idle-s", "10", "--churn-s", "20", *more]


def measure(run):
    """The program's result, with what its process took."""
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["nice", "-n", "10", *command_of(run)], cwd=pieces.ROOT, capture_output=True, text=True, check=False, timeout=RUN_S)
    lines = done.stdout.splitlines()
    if done.returncode not in (0, 1) or not lines or not lines[-1].startswith("{"):
        raise Failure(f"{' '.join(command_of(run))}: status {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = json.loads(lines[-1])
    result["failed"] = done.returncode != 0
    result["command"] = " ".join(command_of(run))
    result["real_s"] = time.monotonic() - started
    result["cpu_s"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return result


# ---- tables -------------------------------------------------------------------------------------


def name_of(result):
    return f"{result['nodes']} | {result['clients']:,}" + (" (no store)" if result["shards"] == 0 else "")


def table(title, what, columns, results, row_of):
    lines = [f"\n## {title}\n", f"{what}\n", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += [f"| {' | '.join(row_of(result))} |" for result in results]
    return "\n".join(lines) + "\n"


def frames(traffic, *purposes):
    return sum(traffic.get(purpose, [0, 0])[0] for purpose in purposes)


def size(traffic, *purposes):
    return sum(traffic.get(purpose, [0, 0])[1] for purpose in purposes)


def ms(seconds):
    return f"{seconds * 1000:,.1f}"


def three_ms(values):
    return " / ".join(ms(value) for value in values)


def coming_row(result):
    c, nodes, clients = result["coming"], result["nodes"], result["clients"]
    told = clients * (nodes - 1)  # routes, each to each peer
    return [name_of(result), f"{result['mbit']:,}", f"{c['batches']:,}",
            f"{size(c['sent'], 'routes') / told:.1f}",
            f"{(c['sent']['all'][1]) / told:.1f}",
            f"{c['sent']['all'][0] / clients:.1f}",
            f"{c['first_received']['all'][1] / 1e6:,.1f} / {c['first_sent']['all'][1] / 1e6:,.1f}",
            f"{c['ramp_s']:.1f}", three_ms(c["suback_s"]), ms(c["agreed_s"]),
            f"{c['hub_s'] / nodes * 1e6 / clients:.2f}", f"{c['hub_s'] / nodes / (c['ramp_s'] + c['agreed_s']):.0%}",
            f"{c['lapses_s'] * 1000:,.0f}"]


def idle_row(result):
    quiet, empty, nodes = result["idle_full"], result["idle_empty"], result["nodes"]
    a_node = nodes * quiet["took_s"]
    sent = quiet["sent"]
    return [name_of(result), f"{sent['all'][0] / a_node:,.0f}", f"{sent['all'][1] / a_node / 1000:,.1f}",
            f"{frames(sent, 'heartbeats') / a_node:,.0f}", f"{frames(sent, 'raft', 'store') / a_node:,.1f}",
            f"{quiet['hub_s'] / a_node:.2%}", f"{empty['sent']['all'][0] / nodes / empty['took_s']:,.0f}",
            f"{empty['hub_s'] / nodes / empty['took_s']:.2%}", f"{(quiet['lapses_s'] + empty['lapses_s']) * 1000:,.0f}"]


def memory_row(result):
    back, routes, workers = result["return"], result["coming"]["routes"], result["workers"]
    # Of all other places, which are all but one of the nodes' workers.
    filters = result["clients"] * (1 - 1 / (result["nodes"] * workers)) + result["shared"]
    return [name_of(result), f"{routes:,}", f"{back['hub_bytes'] / routes:.0f}", f"{back['routers_bytes'] / workers / filters:.0f}",
            f"{(back['hub_bytes'] + back['routers_bytes']) / 1e6:,.0f}"]


def churn_row(result):
    c, nodes = result["churn"], result["nodes"]
    return [name_of(result), f"{c['moves'] / c['took_s']:,.1f}", f"{c['sent']['all'][1] / c['took_s'] / nodes / 1000:,.1f}",
            f"{frames(c['sent'], 'routes', 'routes_applied', 'claims') / max(1, c['moves']):.1f}",
            f"{size(c['sent'], 'routes', 'routes_applied', 'claims') / max(1, c['moves']):,.0f}",
            three_ms(c["connack_s"]), three_ms(c["suback_s"]), f"{c['hub_s'] / nodes / c['took_s']:.2%}"]


def fan_row(result):
    cells = [name_of(result)]
    for batch in (1, 10, 100):
        fan = result[f"fan_out_{batch}"]
        a_message = fan["messages"]
        cells += [f"{frames(fan['sent'], 'forward', 'accepts') / a_message:.2f}",
                  f"{size(fan['sent'], 'forward', 'accepts') / a_message:,.0f}", ms(fan["last_s"])]
    return cells


def return_row(result):
    back = result["return"]
    return [name_of(result), f"{result['mbit']:,}", f"{back['routes']:,}", f"{back['first_received']['all'][1] / 1e6:,.2f}",
            f"{size(back['first_received'], 'routes') / back['routes']:.1f}", f"{back['ready_s']:.2f}", f"{back['first_hub_s']:.2f}",
            f"{back['worker_s']:.2f}", f"{back['outage_s']:.2f}"]


NODES = ["nodes", "clients"]


def tables(results):
    gigabit = [r for r in results if r["mbit"] == 1000]
    text = table("Clients that come", "At 10,000 clients a second and node, with a worker's turn of 1 ms. Bytes and frames are of the whole cluster; "
                 "`MB in / out` of one node; SUBACK waits are p50 / p99 / the longest; CPU is a hub's, of one node, for each client of the cluster; "
                 "without a lease: summed over the nodes.",
                 [*NODES, "Mbit/s", "batches", "bytes a route and peer", "with all else", "frames a route", "MB in / out", "ramp s", "SUBACK ms",
                  "agreed after ms", "CPU us a route", "hub busy", "without a lease ms"], results, coming_row)
    text += table("Nobody does anything", "Of one node, in each second, when all clients are there; `before`: in the first seconds of the cluster, when it has no routes and replicas move.",
                  [*NODES, "frames", "kB", "heartbeat frames", "store's frames", "hub's CPU", "frames before", "hub's CPU before", "without a lease ms"],
                  gigabit, idle_row)
    text += table("Memory of routes", "What is given back when a hub, and the routers of its workers, are destroyed.",
                  [*NODES, "routes", "hub, bytes a route", "a worker's router, bytes a filter", "MB a node with two workers"], gigabit, memory_row)
    text += table("One client of a hundred a minute moves to another node", "CONNACK from CONNECT, SUBACK from SUBSCRIBE (and of the withdrawal): "
                  "p50 / p99 / the longest.",
                  [*NODES, "moves/s", "kB/s a node", "frames a move", "bytes a move", "CONNACK ms", "SUBACK ms", "hub's CPU"], gigabit, churn_row)
    text += table("A message to a subscriber on each other node", "QoS 1, 100 B, of one worker, with acceptances; 1, 10 and 100 in a turn; until all have accepted.",
                  [*NODES, "frames each (1)", "bytes each", "ms", "frames each (10)", "bytes each", "ms", "frames each (100)", "bytes each", "ms"],
                  gigabit, fan_row)
    return text + table("A node is killed and comes back", "Without clients of its own. CPU of its hub and of one of its workers until it is ready; "
                        "outage: how long after the kill another node might not acknowledge.",
                        [*NODES, "Mbit/s", "routes", "MB in", "bytes a route", "ready after s", "hub's CPU s", "worker's CPU s", "outage s"],
                        results, return_row)


def commands(results):
    lines = ["\n## Commands\n", "| command | real s | CPU s | |", "|---|---|---|---|"]
    lines += [f"| `{r['command']}` | {r['real_s']:.0f} | {r['cpu_s']:.0f} | {'FAILED' if r['failed'] else 'ok'} |" for r in results]
    return "\n".join(lines) + "\n"


def wanted_runs(options):
    numbers = [int(n) for n in options.nodes.split(",")] if options.nodes else None
    clients = [int(n) for n in options.clients.split(",")] if options.clients else None
    return [run for run in RUNS + (LARGE if options.large else []) if (not numbers or run[0] in numbers) and (not clients or run[1] in clients)]


def scale(options):
    started, results, failed = time.monotonic(), [], 0
    for run in wanted_runs(options):
        print(f"bench: {' '.join(command_of(run))}", flush=True)
        try:
            results.append(measure(run))
            failed += results[-1]["failed"]
        except (Failure, subprocess.SubprocessError, ValueError) as failure:
            print(f"bench: {failure}", flush=True)
            failed += 1
    whole = [r for r in results if not r["failed"]]
    text = "\n" + bench_report.machine() + tables(whole) + commands(results)
    print(text, flush=True)
    outcome = pieces.Outcome("clusters", len(whole), failed, [], time.monotonic() - started)
    is_all = not options.nodes and not options.clients
    command = "./dev bench scale" + (" --large" if options.large else "")
    return pieces.finish("scaling" if is_all else None, command, [outcome], text)
