"""`./dev fault [--seed N] [--minutes N | --short]`: three real nodes, devices that check all they get, and faults.

The seed decides the faults and what the devices do; the times are the machine's, so a seed is not the same run each time.
"""
import argparse
import asyncio
import os
import pathlib
import random
import statistics
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent / "e2e"), str(FOLDER.parent / "dev")]

import ground
import harness
import pieces
from faults import Faults
from history import History, now
from judge import Judge
from world import World

SHORT_PACE = 0.5  # of the short form, which does each kind once
# Nothing of a queue may be dropped, however long its owner is away.
OPTIONS = ("--max-queued", "10000000", "--max-queued-bytes", "4GiB")


async def load_and_faults(world, wires, options):
    """The faults that came to be, and what publishers left open."""
    faults = Faults(world, wires, random.Random(options.seed), SHORT_PACE if options.short else 1)
    if options.kinds:
        faults.kinds = [kind for kind in faults.kinds if kind.name in options.kinds]
    elif options.short:
        faults.kinds = [kind for kind in faults.kinds if kind.is_in_short]
    await world.start_subscribers()
    world.start_others()
    watch = asyncio.ensure_future(faults.watch())
    await faults.pause(3, 3)
    end = now() + options.minutes * 60
    while (len(faults.done) < len(faults.kinds)) if options.short else now() < end:
        await faults.one()
    unfinished = await world.finish()
    await world.drain()
    watch.cancel()
    return faults.done, unfinished


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


async def run(here, nodes, options):
    with open(here.output / "events", "w", encoding="ascii", buffering=1 << 20) as events:
        world = World(nodes, options.seed, History(events), options.drain)
        try:
            judge = Judge(world, *await load_and_faults(world, here.wires, options))
            counts = await judge.all()
            return judge, figures_of(world, judge, *counts)
        finally:
            world.stop()


def parsed():
    parser = argparse.ArgumentParser(prog="./dev fault")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument("--minutes", type=float, default=10, metavar="N", help="of faults; default 10")
    parser.add_argument("--short", action="store_true", help="one fault of each kind; about a minute and a half")
    parser.add_argument("--output", default="build/fault", metavar="FOLDER", help="for logs and events; default build/fault")
    parser.add_argument("--drain", type=float, default=60, metavar="SECONDS",
                        help="so long it is waited for what is missing at the end; default 60")
    parser.add_argument("--durability", choices=("fsync", "os"), default="fsync",
                        help="os: power cuts lose what was acknowledged, which must be noticed")
    parser.add_argument("--kinds", type=lambda text: text.split("/"), metavar="KIND/...", help="only these")
    return parser.parse_args()


def main():
    options = parsed()
    if not os.access(harness.SHOAL, os.X_OK):
        sys.exit(f"no broker at {harness.SHOAL}: build it first (./dev build)")
    ground.enter()
    started = time.monotonic()
    here = ground.Ground([*OPTIONS, "--durability", options.durability], options.seed,
                         pieces.ROOT / options.output)
    for what, why in here.skipped:
        print(f"skipped: {what}: {why}")
    print(f"seed {options.seed}, nodes in {here.directory}", flush=True)
    with here as nodes:
        judge, figures = asyncio.run(run(here, nodes, options))
    judge.tell()
    print(figures)
    print(f"the nodes' logs and all that the clients saw are in {options.output}")
    failed = len(judge.failed())
    skipped = [f"{what}: {why}" for what, why in here.skipped]
    outcome = pieces.Outcome("three nodes", len(judge.checks) - failed, failed, skipped, time.monotonic() - started)
    command = f"./dev fault --seed {options.seed} --minutes {options.minutes:g}"
    return pieces.finish(None if options.short or options.kinds else "fault", command, [outcome], figures)


pieces.on_interrupt(main)
