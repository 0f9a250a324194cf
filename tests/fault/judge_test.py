"""The fault test's judge notices each broken promise, under its name and no other, and accuses no honest broker."""
import asyncio
import collections
import pathlib
import subprocess
import sys
import types
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent / "e2e"), str(FOLDER.parent / "dev")]

import cheat
import harness
from faults import READY_S, Fault
from history import History
from judge import Judge
from world import World

LOAD_S = 6  # long enough for lost connections, wills and some retained values
DRAIN_S = 10

LOST, LOST_LIVE = "P1: what was acknowledged came to every durable subscriber", "P1: what was acknowledged came to live subscribers"
TWICE, LATE = "P2: QoS 2 came once", "P5: first deliveries in order"
LIVE = "live subscribers: QoS 2 once, and in order"
WILLS, UNASKED, WILLS_TWICE = ("wills that were due were published", "wills that were taken back were not",
                               "P2: wills at QoS 2 came once")
RETAINED, UNFINISHED = "retained values are equal everywhere and the last", "publishers finished"
BROKEN, READY = "sessions, nodes and exit statuses", f"ready within {READY_S} s of each fault's end"

# Each cheat, and what must be found against it.
CHEATS = {
    cheat.Honest: set(), cheat.Loses: {LOST, LOST_LIVE}, cheat.LosesForLive: {LOST_LIVE}, cheat.Doubles: {TWICE},
    cheat.DoublesForLive: {LIVE}, cheat.DoublesWills: {TWICE, WILLS_TWICE}, cheat.Swaps: {LATE}, cheat.SwapsForLive: {LIVE},
    cheat.LosesRetained: {RETAINED}, cheat.ForgetsRetained: {RETAINED}, cheat.LosesWills: {WILLS},
    cheat.PublishesWills: {UNASKED}, cheat.ForgetsSessions: {BROKEN}, cheat.NeverAcknowledges: {UNFINISHED},
}


class SmallWorld(World):
    RATE, PUBLISHERS, DURABLE, ABSENT, MORTALS = 12, 2, 2, 0, 3
    ONLINE_S, MORTAL_S = (1, 3), (0.5, 2)
    FINISH_S = 8


async def judged(node, kind, ports):
    """The judge of a world that this kind of broker served."""
    fronts = [await cheat.Front(node, f"front{n}", port, kind, n == 1).open() for n, port in enumerate(ports)]
    world = SmallWorld(fronts, 1, History(), DRAIN_S)
    try:
        await world.start_subscribers()
        world.start_others()
        await asyncio.sleep(LOAD_S)
        unfinished = await world.finish()
        await world.drain()
        judge = Judge(world, [], unfinished)
        await judge.all()
        return judge
    finally:
        world.stop()
        for front in fronts:
            front.close()


class Cheats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """One honest node for each cheat, all at once."""
        cls.cluster = harness.Cluster(0)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.nodes = [harness.Node(cls.cluster.directory, kind.__name__) for kind in CHEATS]
        nodes = cls.cluster.__enter__()

        async def all_judged():
            return await asyncio.gather(*(judged(node, kind, (harness.free_port(), harness.free_port()))
                                          for node, kind in zip(nodes, CHEATS)))
        cls.judges = dict(zip(CHEATS, asyncio.run(all_judged())))

    def test_each_is_found_and_nothing_else(self):
        for kind, expected in CHEATS.items():
            with self.subTest(kind.__name__):
                judge = self.judges[kind]
                self.assertEqual(judge.failed(), expected, [against[:3] for _, against in judge.checks if against])

    def test_no_check_is_without_a_cheat(self):
        names = {name for judge in self.judges.values() for name, _ in judge.checks}
        self.assertEqual(names - set().union(*CHEATS.values()), {READY})


class Times(unittest.TestCase):
    """What depends on when something was."""

    @staticmethod
    def failed(make):
        """`make(world, node)` gives the faults."""
        async def judged_alone():
            node = harness.Node("/nowhere", "n1")
            world = World([node], 1, History(), DRAIN_S)
            judge = Judge(world, make(world, node), [])
            judge.live()
            judge.rest()
            return judge.failed()
        return asyncio.run(judged_alone())

    def test_a_node_that_is_ready_too_late(self):
        for ready_s, expected in ((READY_S - 0.1, set()), (READY_S + 0.1, {READY})):
            with self.subTest(ready_s):
                self.assertEqual(self.failed(lambda _, node: [Fault("kill", [node], [node], 0, 10, 10 + ready_s)]), expected)

    def test_a_message_that_a_new_subscriber_gets_by_its_repetition(self):
        """It was sent first at 10 and again at 14, the one after it at 13."""
        for subscribed, expected in ((12, set()), (9, {LIVE})):
            def make(world, node):
                world.history.sent = {("pub0", 1): 10, ("pub0", 4): 13}
                world.lives = [types.SimpleNamespace(lives=[types.SimpleNamespace(
                    name="live-n1", node=node, begin=subscribed, end=None, twice=[], late=[("pub0 1", 4, 14)],
                    seen={"pub0 1": 1, "pub0 4": 1})])]
                return []
            with self.subTest(subscribed):
                self.assertEqual(self.failed(make), expected)


    def test_a_message_that_was_held_up_and_lost_with_its_node(self):
        """Clients were cut off from 10 to 14; the node was killed a while after."""
        for killed, expected in ((16, set()), (25, {LOST_LIVE})):
            def make(world, node):
                world.history.sent, world.history.acked = {("pub0", 1): 11}, {("pub0", 1): 11.5}
                world.lives = [types.SimpleNamespace(lives=[types.SimpleNamespace(
                    name="live-n1", node=node, begin=5, end=killed, reason=None, twice=[], late=[], seen=collections.Counter())])]
                return [Fault("cut of clients", [node], [node], 10, 14, 14, True),
                        Fault("kill", [node], [node], killed, killed + 1, killed + 2)]
            with self.subTest(killed):
                self.assertEqual(self.failed(make), expected)


class Power(unittest.TestCase):
    def test_nodes_that_do_not_sync_lose_what_they_acknowledged(self):
        done = subprocess.run([sys.executable, str(FOLDER / "run.py"), "--short", "--durability", "os", "--kinds", "power cut of all",
                               "--drain", str(DRAIN_S), "--output", "build/fault-os"], capture_output=True, text=True, timeout=120)
        for line in done.stdout.splitlines():
            if line.startswith("skipped: power cuts"):
                self.skipTest(line.partition(": ")[2])
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(f"FAILED {LOST}", done.stdout)


if __name__ == "__main__":
    harness.main()
