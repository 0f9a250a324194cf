"""A cluster's life under a load that is checked to the last message: three nodes become five and three again, each is upgraded,
a backup is taken, and another cluster is made of it. The devices and their judge are those of tests/fault."""
import asyncio
import json
import pathlib
import sys
import tempfile
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent / "fault"), str(FOLDER.parent / "dev")]

import harness
from devices import Subscriber
from faults import Fault
from history import History, now
from judge import MARGIN_S, Judge, Newcomer
from world import World

SHARDS, REPLICAS = 8, 3
PREVIOUS = ["--protocol-version", "1"]
RECEIVE_MAXIMUM = 100
AWAY_S = 5     # at most so long a publisher waits for an acknowledgement, with its reconnects
AFTER_S = 3    # of load after each step
LEVEL_S = 120


class LifeWorld(World):
    RATE, PUBLISHERS, DURABLE, ABSENT, MORTALS = 12, 4, 4, 2, 3
    ONLINE_S = 2, 8


async def ctl(node, *words, timeout_s=120):
    """What it says; in a process of its own, so that the devices go on."""
    process = await asyncio.create_subprocess_exec(harness.SHOAL, "ctl", "--data-dir", str(node.directory), *words,
                                                   stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, errors = await asyncio.wait_for(process.communicate(), timeout_s)
    assert process.returncode == 0, f"ctl {words}: {process.returncode}: {errors.decode()}{out.decode()}"
    return out.decode()


async def until(condition, within_s, what):
    end = now() + within_s
    while True:
        done = condition()
        if await done if asyncio.iscoroutine(done) else done:
            return
        assert now() < end, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.2)


async def is_whole(node):
    """All shards have as many replicas as they should, where they should be."""
    placed = json.loads(await ctl(node, "--json", "rebalance"))
    counts = [len(shard["replicas"].split(",")) for shard in placed["shards"]]
    return placed["level"] and counts == [REPLICAS] * SHARDS


class Life:
    """The steps, each with the load going on; `faults` are the times at which clients of a node may notice one."""

    def __init__(self, directory):
        self.directory, self.faults = directory, []
        self.nodes = [harness.Node(directory, f"n{n}", options=PREVIOUS) for n in (1, 2, 3)]
        self.started = list(self.nodes)
        seeds = [f"127.0.0.1:{node.peer_port}" for node in self.nodes]
        for node in self.nodes:
            node.join, node.expect = seeds, 3
        self.world = None

    async def ready(self, node):
        await until(lambda: asyncio.to_thread(node.is_ready), 30, f"{node.name} is ready: {node.tail()}")

    async def start(self):
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            await self.ready(node)
        self.world = LifeWorld(self.nodes, 1, History(), 60)
        await self.world.start_subscribers()
        self.world.start_others()
        await asyncio.sleep(AFTER_S)

    async def grow(self, *names):
        for name in names:
            node = harness.Node(self.directory, name, join=self.nodes[0].join, expect=3, options=PREVIOUS)
            self.started.append(node)
            node.start()
            await self.ready(node)
            self.nodes.append(node)
        await until(lambda: is_whole(self.nodes[0]), LEVEL_S, "level")
        await asyncio.sleep(AFTER_S)

    async def leave(self, node):
        fault = Fault("leave", [node], [node], now())
        self.nodes.remove(node)
        await ctl(node, "leave")
        await asyncio.to_thread(node.stop)
        fault.healed = fault.ready = now()
        self.faults.append(fault)
        await until(lambda: is_whole(self.nodes[0]), LEVEL_S, "level")
        await asyncio.sleep(AFTER_S)

    async def upgrade(self, node):
        fault = Fault("upgrade", [node], [node], now())
        await ctl(node, "drain", "--rate", "100", "--wait")
        assert await asyncio.to_thread(node.stop) == 0
        node.options = []
        node.start()
        fault.healed = now()
        await self.ready(node)
        fault.ready = now()
        self.faults.append(fault)
        await asyncio.sleep(AFTER_S)

    async def judge(self):
        begin, world = world_begin(self.world), self.world
        unfinished = await world.finish()
        end = now()
        await world.drain()
        judge = Judge(world, self.faults, unfinished)
        await judge.all()
        silences = {each.name: world.history.longest_silence([each.name], begin, end - MARGIN_S) for each in world.publishers}
        judge.check(f"no publisher is away for {AWAY_S} s",
                    [f"{name}: {silence:.1f} s" for name, silence in silences.items() if silence > AWAY_S])
        return judge

    def end(self):
        if self.world:
            self.world.stop()
        for node in self.started:
            node.kill()


def world_begin(world):
    return min(times[0] for times in world.history.ack_times.values())


class Moment:
    """What had come to whom when a backup began and when it was there."""

    def __init__(self, world):
        self.world, self.begin = world, now()
        self.due = [message for message, time in world.history.acked.items()
                    if time < self.begin and not message[0].startswith("keeper")]
        self.retained = {}
        for (name, number), time in world.history.acked.items():
            if name.startswith("keeper") and time < self.begin:
                topic = f"r/{number % 10}"
                self.retained[topic] = max(number, self.retained.get(topic, 0))
        # At QoS 2; the last ones may be between PUBREC and PUBCOMP.
        self.finished = {each.name: set(list(each.seen)[:-RECEIVE_MAXIMUM]) for each in world.durable}
        self.seen = {}

    def ends(self):
        self.seen = {each.name: set(each.seen) for each in self.world.durable}


class Restored(Subscriber):
    """Comes back for what its session has, and stays."""

    def __init__(self, world, older):
        super().__init__(world, older.name, older.qos)
        self.subscribed.set()
        self.staying = True


async def judged_restored(nodes, moment):
    """What speaks against the cluster that was made of the backup."""
    history = History()
    world = LifeWorld(nodes, 2, history, 0)
    devices = [Restored(world, each).start() for each in moment.world.durable]
    against = []

    def missing():
        return [f"{each.name} lacks {name} {number}" for each in devices for name, number in moment.due
                if f"{name} {number}" not in moment.seen[each.name] and not each.seen[f"{name} {number}"]]
    end = now() + 30
    while now() < end and (missing() or any(now() - each.heard < 2 for each in devices)):
        await asyncio.sleep(0.5)
    against += missing()
    for each in devices:
        against += [f"{each.name} got {payload} after {last}" for payload, last, _ in each.late]
        if each.qos == 2:
            against += [f"{each.name} got {payload} again" for payload in each.seen if payload in moment.finished[each.name]]
        each.task.cancel()
        each.link.drop()
    for node in nodes:
        found = await Newcomer(history, node).retained()
        against += [f"{topic} is {found.get(topic)} at {node.name}, {number} was acknowledged"
                    for topic, number in moment.retained.items() if found.get(topic, 0) < number]
    return against + history.broken, devices


class LifeOfACluster(unittest.TestCase):
    def test_growing_shrinking_upgrades_backup_and_restore(self):
        with tempfile.TemporaryDirectory(prefix="shoal-life-") as directory:
            asyncio.run(self.live(pathlib.Path(directory)))

    async def live(self, directory):
        life = Life(directory)
        try:
            await life.start()
            await life.grow("n4", "n5")
            for node in list(life.nodes[:2]):
                await life.leave(node)
            for node in list(life.nodes):
                await life.upgrade(node)
            await until(lambda: self.level_is(life.nodes[0], 2), 20, "the level is raised")
            moment = Moment(life.world)
            await ctl(life.nodes[0], "backup", str(directory / "backups"))
            moment.ends()
            await asyncio.sleep(AFTER_S)
            judge = await life.judge()
            self.assertEqual(judge.failed(), set(), [against[:3] for _, against in judge.checks if against])
            self.assertGreater(len(life.world.history.acked), 1000)
        finally:
            life.end()
        await self.restore(directory, moment)

    async def level_is(self, node, level):
        return json.loads(await ctl(node, "--json", "members"))["protocol_level"] == level

    async def restore(self, directory, moment):
        first = harness.Node(directory, "r1")
        nodes = [first]
        try:
            await ctl(first, "restore", str(directory / "backups"))
            first.start()
            await until(lambda: asyncio.to_thread(first.is_ready), 30, f"r1 is ready: {first.tail()}")
            for name in ("r2", "r3"):
                node = harness.Node(directory, name, join=[f"127.0.0.1:{first.peer_port}"], expect=3)
                nodes.append(node)
                node.start()
                await until(lambda: asyncio.to_thread(node.is_ready), 30, f"{name} is ready: {node.tail()}")
            await until(lambda: is_whole(first), LEVEL_S, "three replicas of each shard")
            against, devices = await judged_restored(nodes, moment)
            self.assertEqual(against, [])
            self.assertGreater(sum(sum(each.seen.values()) for each in devices), 0)
        finally:
            for node in nodes:
                node.kill()


if __name__ == "__main__":
    harness.main()
