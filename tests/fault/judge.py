"""The judgement over a history: each check has a name and a list of what speaks against it."""
import asyncio
import bisect

import mqtt
from faults import READY_S

MARGIN_S = 1     # what was acknowledged so shortly before a live subscriber's connection ended may have been on its way
EXAMPLES = 5


def split(payload):
    name, number = payload.split()
    return name, int(number)


class Judge:
    def __init__(self, world, faults, unfinished):
        """`unfinished`: what publishers could not finish."""
        self.world, self.history, self.faults, self.unfinished = world, world.history, faults, unfinished
        self.checks = []   # (name, list of violations)

    async def all(self):
        """Judges; the numbers of lost, of QoS 2 doubled and of late messages at durable subscribers."""
        counts = self.durable()
        self.live()
        self.wills()
        await self.retained()
        self.rest()
        return counts

    def check(self, name, against):
        self.checks.append((name, against))

    def failed(self):
        return {name for name, against in self.checks if against}

    def tell(self):
        for name, against in self.checks:
            print(f"{'FAILED' if against else 'ok':6} {name}" + (f": {len(against)}" if against else ""))
            for each in against[:EXAMPLES]:
                print(f"       {each}")

    def around(self, time):
        """Where a time is, relative to the faults."""
        text = f"{self.history.at(time)} s"
        before = [fault for fault in self.faults if fault.begin <= time]
        if before:
            fault = before[-1]
            text += f", {time - fault.begin:.2f} s after the begin of '{fault.kind}' of {fault.names()}"
        return text

    def told(self, message):
        acked = self.history.acked.get(message)
        return f"{message[0]} {message[1]} (sent {self.around(self.history.sent[message])}" + (
            f"; acknowledged {self.around(acked)})" if acked else "; not acknowledged)")

    def due(self):
        return [message for message in self.history.acked if not message[0].startswith("keeper")]

    def durable(self):
        lost, twice, late = [], [], []
        for each in self.world.durable:
            lost += [f"{each.name} lacks {self.told(m)}" for m in self.due() if not each.seen[f"{m[0]} {m[1]}"]]
            if each.qos == 2:
                twice += [f"{each.name} got {payload} again at {self.around(time)}" for payload, time in each.twice]
            late += [f"{each.name} got {payload} after {last} at {self.around(time)}" for payload, last, time in each.late]
        self.check("P1: what was acknowledged came to every durable subscriber", lost)
        self.check("P2: QoS 2 came once", twice)
        self.check("P5: first deliveries in order", late)
        return len(lost), len(twice), len(late)

    def wills(self):
        missing, unasked, twice = [], [], []
        for mortal in self.world.mortals:
            for payload, (how, time, node) in mortal.wills.items():
                for each in self.world.durable:
                    count = each.seen[payload]
                    if how == "due" and not count:
                        missing.append(f"{each.name} lacks the will {payload} of a connection to {node.name} "
                                       f"at {self.around(time)}")
                    if how == "left" and count and not self.was_hit(node, time, time + MARGIN_S):
                        unasked.append(f"{each.name} got the will {payload}, which a DISCONNECT to {node.name} took back "
                                       f"{self.around(time)}")
                    if count > 1 and each.qos == mortal.qos == 2:
                        twice.append(f"{each.name} got the will {payload} {count} times")
        self.check("wills that were due were published", missing)
        self.check("wills that were taken back were not", unasked)
        self.check("P2: wills at QoS 2 came once", twice)

    def hits(self, node, begin, end):
        return [fault for fault in self.faults if node in fault.hit and fault.begin <= end and fault.ready + MARGIN_S >= begin]

    def was_hit(self, node, begin, end):
        return bool(self.hits(node, begin, end))

    def arrived_by(self, node, time):
        """What this node acknowledged until then had reached its clients at `time`. TCP sends again what was held up, up to as
        long after the network is whole again as it was not; till then it is lost with the node."""
        until = time - MARGIN_S
        for fault in self.faults:
            if fault.holds_clients and node in fault.hit and fault.begin <= time <= 2 * fault.healed - fault.begin + MARGIN_S:
                until = min(until, fault.begin - MARGIN_S)
        return until

    def live(self):
        """A connection is judged up to the fault of its node in which it ended, and through those that it outlived."""
        lost, twice, late, self.live_judged, self.live_broken = [], [], [], 0, 0
        acked = sorted((self.history.acked[message], message) for message in self.due())
        times = [time for time, _ in acked]
        for life in (life for live in self.world.lives for life in live.lives):
            twice += [f"{life.name} got {payload} twice on one connection, at {self.around(time)}"
                      for payload, time in life.twice]
            if life.begin is None:
                continue
            # What was sent before the subscription may have passed it by, and comes when its publisher repeats it: behind
            # what followed it the first time, as all that the publisher sent does.
            late += [f"{life.name} got {payload} after {last} at {self.around(time)}" for payload, last, time in life.late
                     if self.history.sent[split(payload)] >= life.begin]
            until = float("inf")
            if life.end is not None:
                hits = self.hits(life.node, life.end, life.end)
                self.live_broken += not hits
                until = self.arrived_by(life.node, min([life.end] + [fault.begin for fault in hits]))
            for _, message in acked[bisect.bisect(times, life.begin):bisect.bisect(times, until)]:
                if self.history.sent[message] < life.begin:
                    continue
                self.live_judged += 1
                if not life.seen[f"{message[0]} {message[1]}"]:
                    end = "lasts" if life.end is None else f"ended at {self.around(life.end)} with {life.reason}"
                    lost.append(f"{life.name} lacks {self.told(message)}; connected {self.around(life.begin)}, {end}")
        self.check("P1: what was acknowledged came to live subscribers", lost)
        self.check("live subscribers: QoS 2 once, and in order", twice + late)

    async def retained(self):
        """Judges the values of all nodes, as a newcomer gets them."""
        owed = {}
        for name, number in self.history.acked:
            if name.startswith("keeper"):
                owed[f"r/{number % 10}"] = max(number, owed.get(f"r/{number % 10}", 0))
        found = [await Newcomer(self.history, node).retained() for node in self.world.nodes]
        against = []
        for topic, number in sorted(owed.items()):
            values = [each.get(topic) for each in found]
            if len(set(values)) > 1:
                against.append(f"{topic} is {values} on the nodes")
            if any(value is None or value < number for value in values):
                when = self.around(self.history.acked["keeper", number])
                against.append(f"{topic} is {values}, but {number} was acknowledged {when}")
        self.check("retained values are equal everywhere and the last", against)

    def rest(self):
        self.check("publishers finished", self.unfinished)
        self.check("sessions, nodes and exit statuses", self.history.broken)
        self.check(f"ready within {READY_S} s of each fault's end",
                   [f"{fault.ready - fault.healed:.1f} s after {fault.kind} of {fault.names()} at {self.history.at(fault.begin)} s"
                    for fault in self.faults if fault.ready - fault.healed > READY_S])


class Newcomer:
    def __init__(self, history, node):
        self.history, self.node, self.name, self.values = history, node, f"new-{node.name}", {}

    def on_packet(self, link, first, body):
        if first >> 4 == 3:
            topic, payload, qos, packet_id, _ = mqtt.parse_publish(first, body)
            self.values[topic] = split(payload)[1]
            if qos == 1:
                link.send(mqtt.short(mqtt.PUBACK, packet_id))

    async def retained(self):
        link, code, _ = await mqtt.connect(self, self.node, mqtt.connect_packet(self.name, True, 0, login=self.node.login))
        if code == 0:
            link.send(mqtt.subscribe_packet(["r/#"], 1))
            await asyncio.sleep(1.5)
            link.leave()
        return self.values
