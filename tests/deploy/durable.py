"""Clients with durable sessions, through the balancer, as long as a cluster lives: the devices and the judge of tests/fault.

Every acknowledged message is owed to each subscriber: to those that stay, those that come and go, and those that are away for
most of the time; at QoS 2 once, and all in order.
"""
import asyncio
import collections
import itertools
import pathlib
import ssl
import sys
import threading

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent / "fault"), str(FOLDER.parent / "e2e")]

from devices import Absent, Subscriber  # noqa: E402
from history import History, now  # noqa: E402
from judge import Judge  # noqa: E402
from world import World  # noqa: E402

SETTLE_S = 20    # for what is under way, also to a client that comes and goes
OWED_S = 5       # of publishing while the absent stay away
ABSENCE_S = 30   # until all of them are away
CALL_S = 300
STOP_S = 5


class Listener:
    """One of the balancer's, as a node is for the devices."""

    def __init__(self, endpoint):
        self.name, self.host, self.mqtt_port = f"port {endpoint.port}", endpoint.host, endpoint.port
        self.login = (endpoint.user, endpoint.password)
        self.tls = ssl.create_default_context(cafile=endpoint.ca_file) if endpoint.ca_file else None


class Staying(Subscriber):
    """Never leaves by itself; `gaps` are the times that it had no broker."""

    def __init__(self, world, name, qos):
        super().__init__(world, name, qos)
        self.staying, self.since, self.gaps = True, None, []

    async def come(self):
        if self.link and self.since is None:
            self.since = self.link.ended
        came = await super().come()
        if came and self.since is not None:
            self.gaps.append((self.since, now()))
            self.since = None
        return came

    def all_gaps(self):
        return self.gaps + ([(self.since, now())] if self.since is not None else [])


class Absentee(Absent):
    """Does not come back while its world rests."""

    async def come(self):
        while self.world.is_resting and not self.staying:
            await asyncio.sleep(0.1)
        return await super().come()


class CarriedOn(Subscriber):
    """The client of a session, gone on with at another cluster: it knows what it knew."""

    def __init__(self, world, older):
        super().__init__(world, older.name, older.qos)
        self.open, self.seen, self.last = set(older.open), collections.Counter(older.seen), dict(older.last)
        self.had = set(older.seen)
        self.subscribed.set()
        self.staying = True


class DurableWorld(World):
    RATE, PUBLISHERS, MORTALS = 8, 4, 0
    is_resting = False

    async def start_subscribers(self):
        self.durable = [kind(self, f"{kind.__name__.lower()}{qos}", qos).start()
                        for kind in (Staying, Subscriber, Absentee) for qos in (1, 2)]
        await asyncio.wait_for(asyncio.gather(*(each.subscribed.wait() for each in self.durable)), SETTLE_S)


class Durable:
    """They run in a thread of their own, beside the steps."""

    def __init__(self, endpoints):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.worlds, self.unfinished, self.judged_count = [], [], 0
        self.history = self.call(self.begin(endpoints))

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(CALL_S)

    async def begin(self, endpoints):
        history = History()
        self.world = DurableWorld([Listener(each) for each in endpoints], 1, history, SETTLE_S * 3)
        self.worlds.append(self.world)
        await self.world.start_subscribers()
        self.world.start_others()
        while any(each.name not in history.ack_times for each in self.world.publishers):
            await asyncio.sleep(0.1)
        return history

    def of(self, kind):
        return [each for each in self.world.durable if isinstance(each, kind)]

    def present(self):
        return [each for each in self.world.durable if not isinstance(each, Absentee)]

    def lacking(self, messages, devices):
        return [f"{each.name} lacks {name} {number}" for each in devices for name, number in messages
                if not each.seen[f"{name} {number}"]]

    def lost(self):
        """(what speaks against the cluster, messages owed), of what was acknowledged since this was asked before."""
        return self.call(self.lost_until_now())

    async def lost_until_now(self):
        new = list(itertools.islice(self.history.acked, self.judged_count, None))
        self.judged_count += len(new)
        messages, devices, end = [m for m in new if m[0] != "keeper"], self.present(), now() + SETTLE_S
        while self.lacking(messages, devices) and now() < end:
            await asyncio.sleep(0.2)
        against = self.lacking(messages, devices) + self.history.broken
        for each in self.world.durable:
            against += [f"{each.name} got {payload} after {last}" for payload, last, _ in each.late]
            against += [f"{each.name} got {payload} twice" for payload, _ in each.twice] if each.qos == 2 else []
        return against, len(messages) * len(devices)

    def disconnected(self):
        """How often one that stays lost its connection."""
        return sum(len(each.gaps) + (each.since is not None) for each in self.of(Staying))

    def longest_gap(self, since):
        """The longest time in seconds since then that one that stays had no broker, or that a publisher waited; whose."""
        return self.call(self.longest_gap_until_now(since))

    async def longest_gap_until_now(self, since):
        gaps = [(end - begin, each.name) for each in self.of(Staying) for begin, end in each.all_gaps() if end > since]
        return max(gaps + [(self.history.longest_silence([each.name], since, now()), each.name) for each in self.world.publishers])

    def rest(self):
        """Ends the load. Then nothing is under way, and what was published last waits for the absent: name -> what it is owed."""
        return self.call(self.rest_from_now())

    async def rest_from_now(self):
        self.world.is_resting = True
        await asyncio.sleep(OWED_S)  # one that was connecting has come, and is to go again
        end = now() + ABSENCE_S
        while any(each.link.ended is None for each in self.of(Absentee)) and now() < end:
            await asyncio.sleep(0.1)
        await asyncio.sleep(OWED_S)
        self.unfinished = await self.world.finish()
        due = [message for message in self.history.acked if message[0] != "keeper"]
        end = now() + SETTLE_S
        while self.lacking(due, self.present()) and now() < end:
            await asyncio.sleep(0.2)
        return {each.name: {f"{name} {number}" for name, number in due if not each.seen[f"{name} {number}"]}
                for each in self.of(Absentee)}

    def judged(self):
        """Everyone comes back, and all is judged: (name, what speaks against it)."""
        return self.call(self.judged_at_last())

    async def judged_at_last(self):
        if not self.world.is_resting:
            self.unfinished = await self.world.finish()
        return await self.judgement(self.world)

    async def judgement(self, world):
        await world.drain()
        judge = Judge(world, [], self.unfinished)
        judge.durable()
        await judge.retained()
        judge.check("publishers finished", self.unfinished)
        judge.check("sessions were there", self.history.broken)
        return judge.checks

    def carried_on(self, endpoints):
        """The same clients go on at another cluster: as judged(), and name -> what came to it there that it had not."""
        return self.call(self.carried_on_there(endpoints))

    async def carried_on_there(self, endpoints):
        world = DurableWorld([Listener(each) for each in endpoints], 2, self.history, SETTLE_S * 3)
        self.worlds.append(world)
        world.durable = [CarriedOn(world, each).start() for each in self.world.durable]
        checks = await self.judgement(world)
        return checks, {each.name: set(each.seen) - each.had for each in world.durable}

    def stop(self):
        async def end():
            for world in self.worlds:
                world.stop()
            ending = asyncio.all_tasks() - {asyncio.current_task()}
            if ending:
                await asyncio.wait(ending, timeout=STOP_S)
        self.call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
