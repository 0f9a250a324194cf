"""The clients: each keeps the standard's client side, so all that it misses or gets twice is the cluster's doing."""
import asyncio
import collections
import random
import struct

import mqtt
from history import now

EXPIRY_S = 3600
WINDOW = 20        # messages of one publisher that are not acknowledged yet
BURSTS = (1, 1, 4, 12)  # messages at once: so that much is open when something happens
TOPICS = 3         # of one publisher
ACK_S = 2          # so long a publisher waits for an acknowledgement that is due
BREAKS = 0.0005    # of the packets that a durable subscriber should answer
AGAIN_S = 0.2      # between attempts to connect


class Device:
    def __init__(self, world, name):
        self.world, self.history, self.name = world, world.history, name
        self.random = random.Random(f"{world.seed}/{name}")
        self.link, self.task = None, None

    def start(self):
        self.task = asyncio.ensure_future(self.run())
        self.task.add_done_callback(self.on_done)
        return self

    def on_done(self, task):
        if not task.cancelled() and task.exception():
            self.history.on_broken(f"{self.name}: {task.exception()!r}")

    def any_node(self):
        return self.random.choice(self.world.nodes)

    async def connect(self, node, clean, expiry_s, **more):
        """(link, Session Present), or None."""
        link, code, present = await mqtt.connect(
            self, node, mqtt.connect_packet(self.name, clean, expiry_s, login=node.login, **more))
        if code == 0 and link.ended is None:
            return link, present
        if code:
            self.history.codes[f"CONNACK 0x{code:02x}"] += 1
        await asyncio.sleep(self.random.uniform(0.5, 1.5) * AGAIN_S)
        return None


class Publisher(Device):
    """Numbered messages; those that are not acknowledged go again, in order, on each new connection."""

    def __init__(self, world, name, qos, rate):
        super().__init__(world, name)
        self.qos, self.rate, self.durable = qos, rate, qos == 2
        self.number, self.packet_id = 0, 0
        self.open = collections.OrderedDict()  # packet id -> number; None when its PUBREC has come
        self.stopping = self.known = False
        self.progress = now()

    def message_of(self, number):
        return f"f/{self.name}/{number % TOPICS}", f"{self.name} {number}", False

    def send(self, number, packet_id, dup):
        topic, payload, retain = self.message_of(number)
        expiry_s = EXPIRY_S if number % 2 else None
        self.link.send(mqtt.publish_packet(topic, payload, self.qos, packet_id, dup, retain, expiry_s))

    def send_next(self):
        self.number += 1
        while True:
            self.packet_id = self.packet_id % 65535 + 1
            if self.packet_id not in self.open:
                break
        if not self.open:
            self.progress = now()
        self.open[self.packet_id] = self.number
        self.history.on_sent((self.name, self.number))
        self.send(self.number, self.packet_id, False)

    def on_packet(self, link, first, body):
        if link is not self.link:
            return
        packet_id, code = body[0] << 8 | body[1], body[2] if len(body) > 2 else 0
        number = self.open.get(packet_id)
        if code >= 0x80 and first != mqtt.PUBCOMP:
            self.history.codes[f"{'PUBACK' if first == mqtt.PUBACK else 'PUBREC'} 0x{code:02x}"] += 1
            return
        self.progress = now()
        if number is not None and first in (mqtt.PUBACK, mqtt.PUBREC):
            self.history.on_acked((self.name, number))
        if first == mqtt.PUBREC:
            self.open[packet_id] = None
            link.send(mqtt.short(mqtt.PUBREL, packet_id))
        else:
            self.open.pop(packet_id, None)

    def begin(self, present):
        """The first packets of a connection."""
        if self.durable and self.known and not present:
            self.history.on_broken(f"{self.name}: its session is lost")
        self.known, self.progress = True, now()
        for packet_id, number in list(self.open.items()):
            if number is None:
                self.link.send(mqtt.short(mqtt.PUBREL, packet_id))
            else:
                self.send(number, packet_id, self.durable and present)

    async def run(self):
        while not (self.stopping and not self.open):
            got = await self.connect(self.any_node(), not self.durable, EXPIRY_S if self.durable else 0)
            if not got:
                continue
            self.link = got[0]
            self.begin(got[1])
            await self.publish_until(now() + self.random.uniform(5, 25))
            if self.stopping and not self.open:
                self.link.leave()
            else:
                self.link.drop()

    async def publish_until(self, end):
        link = self.link
        while link.ended is None and now() < end and not (self.stopping and not self.open):
            if self.open and now() - self.progress > ACK_S:
                return
            burst = self.random.choice(BURSTS)
            for _ in range(0 if self.stopping else min(burst, WINDOW - len(self.open))):
                self.send_next()
            await asyncio.sleep(self.random.uniform(0.5, 1.5) * burst / self.rate)


class Keeper(Publisher):
    """Overwrites retained messages; the number is the value."""

    def message_of(self, number):
        return f"r/{number % 10}", f"{self.name} {number}", True


class Subscriber(Device):
    """A durable session, with a memory of what it got."""
    filters = ("f/#", "w/#")

    def __init__(self, world, name, qos):
        super().__init__(world, name)
        self.qos, self.known, self.subscribed = qos, False, asyncio.Event()
        self.open = set()                      # packet ids between PUBLISH and PUBREL
        self.seen = collections.Counter()      # payload -> how often
        self.twice = []                        # payloads at QoS 2
        self.last = {}                         # topic -> highest number of a first delivery
        self.late = []                         # first deliveries behind a later one
        self.staying = False                   # online until told otherwise
        self.heard = now()

    def take(self, topic, payload, qos):
        self.seen[payload] += 1
        self.heard = now()
        if self.seen[payload] > 1:
            if qos == 2:
                self.twice.append((payload, now()))
            return
        number = int(payload.split()[1])
        if topic.startswith("f/"):
            if number < self.last.get(topic, 0):
                self.late.append((payload, self.last[topic], now()))
            self.last[topic] = max(number, self.last.get(topic, 0))

    def breaks(self):
        """Whether its connection breaks before it answers, now and then."""
        return not self.staying and self.random.random() < BREAKS

    def on_packet(self, link, first, body):
        if link is not self.link and first != mqtt.SUBACK:
            return
        if first >> 4 == 3:
            topic, payload, qos, packet_id, _ = mqtt.parse_publish(first, body)
            if qos != 2 or packet_id not in self.open:
                self.take(topic, payload, qos)
            if qos == 2:
                self.open.add(packet_id)
            if self.breaks():
                link.drop()
            elif qos:
                link.send(mqtt.short(mqtt.PUBREC if qos == 2 else mqtt.PUBACK, packet_id))
        elif first == mqtt.PUBREL:
            packet_id, = struct.unpack(">H", body[:2])
            self.open.discard(packet_id)
            if self.breaks():
                link.drop()
            else:
                link.send(mqtt.short(mqtt.PUBCOMP, packet_id))
        elif first == mqtt.SUBACK:
            self.on_suback(link, body)

    def on_suback(self, link, body):
        if any(code >= 0x80 for code in body[3:]):
            self.history.codes["SUBACK"] += 1
        else:
            self.subscribed.set()

    async def come(self):
        """Connects to any node; the older connection, if there is one, is taken over."""
        older, node = self.link, self.any_node()
        link, code, present = await mqtt.connect(self, node, mqtt.connect_packet(
            self.name, False, EXPIRY_S, receive_maximum=self.random.choice((None, 20)), login=node.login), self.on_new_link)
        if older and older.ended is None:
            older.drop()
        if code != 0 or link.ended is not None:
            await asyncio.sleep(AGAIN_S)
            return False
        if self.subscribed.is_set() and not present:
            self.history.on_broken(f"{self.name}: its session is lost")
        if not self.subscribed.is_set():
            link.send(mqtt.subscribe_packet(self.filters, self.qos))
        return True

    def on_new_link(self, link):
        self.link = link  # what still comes by the older one is for the past: it is sent again here

    def go(self):
        if self.link.ended is None:
            self.link.leave() if self.random.random() < 0.5 else self.link.drop()

    def online_s(self):
        return self.random.uniform(*self.world.ONLINE_S)

    def absent_s(self):
        return self.random.choice((0, 0, self.random.uniform(0, 3)))

    async def run(self):
        while True:
            if not await self.come():
                continue
            end = now() + self.online_s()
            while self.link.ended is None and (now() < end or self.staying or not self.subscribed.is_set()):
                await asyncio.sleep(0.1)
            absent = self.absent_s()
            if absent and not self.staying:
                self.go()
                end = now() + absent
                while now() < end and not self.staying:
                    await asyncio.sleep(0.1)


class Absent(Subscriber):
    """Away for most of the time."""

    def online_s(self):
        return self.random.uniform(0.5, 2)

    def absent_s(self):
        return self.random.uniform(15, 40)


class Live(Subscriber):
    """Of one node, without a session that outlives its connection; `lives` holds each connection's part."""
    filters = ("f/#",)

    def __init__(self, world, name, qos, node):
        super().__init__(world, name, qos)
        self.node, self.lives = node, []

    def breaks(self):
        return False

    def on_suback(self, link, body):
        super().on_suback(link, body)
        if self.lives:
            self.lives[-1].begin = now()

    async def run(self):
        while True:
            got = await self.connect(self.node, True, 0)
            if not got:
                continue
            self.link, _ = got
            self.open, self.seen, self.twice, self.last, self.late = set(), collections.Counter(), [], {}, []
            self.lives.append(Life(self))
            self.link.send(mqtt.subscribe_packet(self.filters, self.qos))
            await self.link.lost.wait()
            self.lives[-1].end, self.lives[-1].reason = self.link.ended, self.link.reason


class Life:
    def __init__(self, live):
        self.name, self.node, self.seen, self.twice, self.late = live.name, live.node, live.seen, live.twice, live.late
        self.connected, self.begin, self.end, self.reason = now(), None, None, None


class Mortal(Device):
    """Has a will, a new one for each connection; `wills` says how the connection of each ended."""

    def __init__(self, world, name, qos):
        super().__init__(world, name)
        self.qos, self.number, self.wills, self.stopping = qos, 0, {}, False

    def on_packet(self, link, first, body):
        pass

    async def run(self):
        while True:
            self.number += 1
            payload = f"{self.name} {self.number}"
            got = await self.connect(self.any_node(), True, 0, will=(f"w/{self.name}", payload, self.qos))
            if not got:
                continue
            self.link, _ = got
            self.wills[payload] = ("due", now(), self.link.node)
            if self.stopping:  # wait_for() loses a cancellation that comes with its result
                return self.link.drop()
            try:
                await asyncio.wait_for(self.link.lost.wait(), self.random.uniform(*self.world.MORTAL_S))
            except asyncio.TimeoutError:
                if self.random.random() < 0.3:
                    self.wills[payload] = ("left", now(), self.link.node)
                    self.link.leave()
                else:
                    self.link.drop()
