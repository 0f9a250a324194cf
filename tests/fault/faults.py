"""What happens to the nodes: one fault after the other, each healed before the next."""
import asyncio
import dataclasses
import signal

import kinds
from history import now

READY_S = 5        # so soon all nodes must be ready again
READY_WAIT_S = 30  # so long it is waited for
WHOLE_S = 60       # so soon a wiped node must have its replicas
LATE, LATE_S = 0.3, 0.02  # so many faults happen while packets between nodes take up to so long


@dataclasses.dataclass
class Fault:
    kind: str
    nodes: list
    hit: list  # those of which a client may notice
    begin: float
    healed: float = 0   # when the processes ran and the network was whole again
    ready: float = 0    # when all nodes said so
    holds_clients: bool = False  # packets of clients, too, were held up
    silences_s: tuple = ()  # the longest without an acknowledgement: of anyone, of anyone at QoS 1, of one publisher

    def names(self):
        return "+".join(node.name for node in self.nodes)


async def until(condition, within_s):
    """When condition() was true, asked in a thread; None when that takes too long."""
    end = now() + within_s
    while now() < end:
        if await asyncio.to_thread(condition):
            return now()
        await asyncio.sleep(0.1)
    return None


class Faults:
    def __init__(self, world, wires, random, pace):
        """With a pace below 1 all that lasts a while lasts so much shorter."""
        self.world, self.wires, self.random, self.pace = world, wires, random, pace
        self.nodes, self.history, self.done = world.nodes, world.history, []
        self.kinds = kinds.possible(world.nodes, wires)
        self.bag, self.down = [], set()

    async def pause(self, least_s, most_s):
        await asyncio.sleep(self.random.uniform(least_s, most_s) * self.pace)

    def start(self, node):
        node.start()
        self.down.discard(node)

    async def end(self, node):
        self.down.add(node)
        await asyncio.to_thread(node.kill)

    async def end_all(self, nodes):
        """As one moment: none is waited for before all were told."""
        for node in nodes:
            self.down.add(node)
            node.signal(signal.SIGKILL)
        for node in nodes:
            await self.end(node)

    def next_kind(self):
        """Each kind once, in random order, then again."""
        if not self.bag:
            self.bag = list(self.kinds)
            self.random.shuffle(self.bag)
        return self.bag.pop()

    def are_ready(self):
        return all(node.is_ready() for node in self.nodes)

    def are_whole(self):
        """Whether each shard has a replica on each node."""
        everyone = {node.name for node in self.nodes}
        shards = [shard for node in self.nodes for shard in node.ctl("shards")["shards"]]
        # A node knows the replicas of those that it has one of itself; one that is not whole yet has a "+".
        return all(set((shard["replicas"] or "").split(",")) == everyone for shard in shards)

    async def one(self):
        kind = self.next_kind()
        nodes = self.random.sample(self.nodes, kind.count)
        fault = Fault(kind.name, nodes, kind.hit(nodes, self.nodes), now(), float("inf"), float("inf"), kind.holds_clients)
        self.done.append(fault)
        self.history.record("-", fault.names(), "!", kind.name, "")
        is_late = self.wires and kind.needs != "wires" and self.random.random() < LATE
        if is_late:
            self.wires.begin(0, LATE_S, 0)
        await kind.do(self, nodes)
        if is_late:
            self.wires.end()
        fault.healed = now()
        self.history.record("-", fault.names(), "!", "HEALED", "")
        at = await until(self.are_ready, READY_WAIT_S)
        fault.ready = at or now()
        if at is None:
            self.history.on_broken(f"not ready {READY_WAIT_S} s after {kind.name} of {fault.names()}: " + "; ".join(
                f"{node.name}: {node.get('/readyz')[1].strip()}" for node in self.nodes))
        if kind.loses_replicas and not await until(self.are_whole, WHOLE_S):
            self.history.on_broken(f"replicas are missing {WHOLE_S} s after {kind.name} of {fault.names()}")
        await self.pause(1.5, 4)
        fault.silences_s = self.silences(fault.begin, now())
        print(f"{self.history.at(fault.begin):>7} s  {kind.name:16} {fault.names():8}  {fault.healed - fault.begin:4.1f} s, ready "
              f"{fault.ready - fault.healed:4.1f} s later, longest without an acknowledgement {fault.silences_s[0]:4.1f} s, "
              f"at QoS 1 {fault.silences_s[1]:4.1f} s, of one publisher {fault.silences_s[2]:4.1f} s"
              + (", with late packets" if is_late else ""), flush=True)

    def silences(self, begin, end):
        names = [each.name for each in self.world.publishers]
        at_qos_1 = [each.name for each in self.world.publishers if each.qos == 1]
        return (self.history.longest_silence(names, begin, end), self.history.longest_silence(at_qos_1, begin, end),
                max(self.history.longest_silence([name], begin, end) for name in names))

    async def watch(self):
        """A node that ends by itself is a fault of its own; it is started again."""
        while True:
            for node in self.nodes:
                if node not in self.down and node.process.poll() is not None:
                    self.history.on_broken(f"{node.name} ended with {node.process.returncode}: {node.tail()}")
                    self.start(node)
            await asyncio.sleep(0.2)
