"""`./dev fault [--seed N] [--minutes N | --short]`: three real nodes, devices that check all they get, and faults.

The seed decides the faults and what the devices do; the times are the machine's, so a seed is not the same run each time.
"""
import argparse
import asyncio
import os
import pathlib
import random
import shutil
import statistics
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent / "e2e"), str(FOLDER.parent / "dev")]

import harness
import pieces
from devices import Absent, Keeper, Live, Mortal, Publisher, Subscriber
from faults import Faults
from history import History, now
from judge import Judge
from relay import Network

RATE = 25            # messages a second of one publisher
FINISH_S = 30        # for what publishers have open when the faults have ended
DRAIN_S = 60         # for what waits in sessions
QUIET_S = 3
SHORT_S, SHORT_FAULTS = 60, 7  # each kind once
# Nothing of a queue may be dropped, however long its owner is away.
OPTIONS = ("--max-queued", "10000000", "--max-queued-bytes", "4GiB")


class World:
    """The nodes and all devices."""

    def __init__(self, nodes, seed):
        self.nodes, self.seed, self.history = nodes, seed, History()
        self.publishers, self.durable, self.lives, self.mortals = [], [], [], []

    async def start_subscribers(self):
        self.durable = [Subscriber(self, f"durable{n}", 1 + n % 2).start() for n in range(4)]
        self.durable += [Absent(self, f"absent{n}", 1 + n % 2).start() for n in range(2)]
        self.lives = [Live(self, f"live-{node.name}", 1 + n % 2, node).start() for n, node in enumerate(self.nodes)]
        await asyncio.wait_for(asyncio.gather(*(each.subscribed.wait() for each in self.durable + self.lives)), 20)

    def start_others(self):
        self.publishers = [Publisher(self, f"pub{n}", 1 + n % 2, RATE).start() for n in range(8)]
        self.publishers.append(Keeper(self, "keeper", 1, RATE).start())
        self.mortals = [Mortal(self, f"mortal{n}", 1 + n % 2).start() for n in range(6)]

    async def finish(self):
        """Ends the load; what publishers could not finish."""
        for each in self.publishers:
            each.stopping = True
        await asyncio.wait([each.task for each in self.publishers], timeout=FINISH_S)
        unfinished = [f"{each.name} has {len(each.open)} open" for each in self.publishers if not each.task.done()]
        for each in self.mortals:
            each.task.cancel()
            if each.link:
                each.link.drop()
        return unfinished

    def wills_missing(self):
        due = [payload for mortal in self.mortals for payload, will in mortal.wills.items() if will[0] == "due"]
        return any(not each.seen[payload] for each in self.durable for payload in due)

    async def drain(self):
        """Everyone comes back and gets what is left, until nothing more comes."""
        for each in self.durable:
            each.staying = True
        end = now() + DRAIN_S
        due = [f"{name} {number}" for name, number in self.history.acked if not name.startswith("keeper")]
        while now() < end:
            await asyncio.sleep(0.5)
            online = all(each.link.ended is None for each in self.durable)
            quiet = all(now() - each.heard > QUIET_S for each in self.durable)
            if online and quiet and not self.wills_missing() and all(each.seen[p] for each in self.durable for p in due):
                return

    def stop(self):
        for each in self.publishers + self.durable + self.lives + self.mortals:
            each.task.cancel()
            if each.link:
                each.link.drop()


async def load_and_faults(world, network, options):
    """The faults that came to be, and what publishers left open."""
    faults = Faults(world, network, random.Random(options.seed))
    await world.start_subscribers()
    world.start_others()
    watch = asyncio.ensure_future(faults.watch())
    await asyncio.sleep(3)
    end = now() + (SHORT_S if options.short else options.minutes * 60)
    while now() < end and not (options.short and len(faults.done) == SHORT_FAULTS):
        await faults.one()
    unfinished = await world.finish()
    await world.drain()
    watch.cancel()
    return faults.done, unfinished


def open_cluster():
    """The nodes, not yet started, and the ports of their relays."""
    cluster = harness.Cluster(3, OPTIONS)
    ports = [harness.free_port() for _ in cluster.nodes]
    relays = [f"127.0.0.1:{port}" for port in ports]
    for node, relay in zip(cluster.nodes, relays):
        node.join = relays
        node.options = [*node.options, "--peer-advertise", relay]
    return cluster, ports


def keep_logs(nodes):
    folder = pieces.ROOT / "build" / "fault"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for node in nodes:
        shutil.copy(node.log_path, folder)


def figures_of(world, judge, lost, twice, late):
    history, faults = world.history, judge.faults
    delivered = sum(sum(each.seen.values()) for each in world.durable)
    live = sum(sum(life.seen.values()) for each in world.lives for life in each.lives)
    wills = [will[0] for mortal in world.mortals for will in mortal.wills.values()]
    lines = [
        f"- Messages acknowledged: {len(history.acked):,}, of {len(history.sent):,} sent; lost: {lost}, QoS 2 doubled: {twice}, "
        f"out of order: {late}",
        f"- Delivered: {delivered:,} to {len(world.durable)} durable sessions, {live:,} to live subscribers, whose "
        f"{sum(len(each.lives) for each in world.lives)} connections owed {judge.live_judged:,}",
        f"- Connections of live subscribers that ended although their node was not hit: {judge.live_broken}",
        f"- Wills due: {wills.count('due')}, taken back: {wills.count('left')}",
        f"- Refusals seen by devices: {', '.join(f'{name}: {n}' for name, n in sorted(history.codes.items())) or 'none'}"]
    rows = []
    for kind in sorted({fault.kind for fault in faults}):
        these = [fault for fault in faults if fault.kind == kind]
        silences = [[fault.silences_s[n] for fault in these] for n in range(3)]
        rows.append(f"| {kind} | {len(these)} | " + " | ".join(
            f"{statistics.median(each):.1f} / {max(each):.1f}" for each in silences) +
            f" | {max(fault.ready - fault.healed for fault in these):.1f} |")
    return "\n" + "\n".join(lines) + "\n\n" \
        "Seconds, the median and the most of each kind of fault: the longest time in which nobody's message was acknowledged, " \
        "nobody's at QoS 1, and none of that publisher who waited longest (a publisher leaves a node after 2 s, or 4 s without " \
        "a CONNACK); and the longest until all nodes were ready after the fault's end.\n\n" \
        "| fault | times | nobody | nobody at QoS 1 | one publisher | ready |\n" \
        "|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"


async def run(options):
    cluster, ports = open_cluster()
    print(f"seed {options.seed}, nodes in {cluster.directory}", flush=True)
    network = Network(cluster.nodes)
    await network.open(ports)
    world = None
    try:
        await asyncio.to_thread(cluster.__enter__)
        world = World(cluster.nodes, options.seed)
        done, unfinished = await load_and_faults(world, network, options)
        judge = Judge(world, done)
        counts = judge.durable()
        judge.live()
        judge.wills()
        await judge.retained()
        judge.rest(unfinished)
        return judge, figures_of(world, judge, *counts), network.strangers
    finally:
        if world:
            world.stop()
            keep_logs(cluster.nodes)
        network.close()
        cluster.close()


def parsed():
    parser = argparse.ArgumentParser(prog="./dev fault")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument("--minutes", type=float, default=5, metavar="N", help="of faults; default 5")
    parser.add_argument("--short", action="store_true", help="one fault of each kind; about a minute")
    return parser.parse_args()


def main():
    options = parsed()
    if not os.access(harness.SHOAL, os.X_OK):
        sys.exit(f"no broker at {harness.SHOAL}: build it first (./dev build)")
    started = time.monotonic()
    judge, figures, strangers = asyncio.run(run(options))
    print(figures)
    print("the nodes' logs are in build/fault")
    if strangers:
        print(f"{strangers} connections between nodes whose owner was not found, so that no cut held them")
    failed = sum(bool(against) for _, against in judge.checks)
    outcome = pieces.Outcome("three nodes", len(judge.checks) - failed, failed, [], time.monotonic() - started)
    command = f"./dev fault --seed {options.seed} --minutes {options.minutes:g}"
    return pieces.finish(None if options.short else "fault", command, [outcome], figures)


pieces.on_interrupt(main)
