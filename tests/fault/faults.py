"""What happens to the nodes: one fault after the other, each healed before the next."""
import asyncio
import dataclasses
import signal

import relay
from history import now

READY_S = 5        # so soon all nodes must be ready again
READY_WAIT_S = 30  # so long it is waited for
STOP_S = 10


@dataclasses.dataclass
class Fault:
    kind: str
    nodes: list
    begin: float
    healed: float = 0   # when the processes ran and the network was whole again
    ready: float = 0    # when all nodes said so
    silences_s: tuple = ()  # the longest without an acknowledgement: of anyone, of anyone at QoS 1, of one publisher

    def names(self):
        return "+".join(node.name for node in self.nodes)


async def ready(nodes):
    """When all were ready at once; None when that takes too long."""
    end = now() + READY_WAIT_S
    while now() < end:
        answers = await asyncio.gather(*(asyncio.to_thread(node.is_ready) for node in nodes))
        if all(answers):
            return now()
        await asyncio.sleep(0.1)
    return None


class Faults:
    def __init__(self, world, network, random):
        self.world, self.network, self.random = world, network, random
        self.nodes, self.history, self.done = world.nodes, world.history, []
        self.bag, self.down = [], set()
        self.kinds = {"kill": self.kill, "kill two": self.kill_two, "kill all": self.kill_all, "terminate": self.terminate,
                      "freeze": self.freeze, "cut, held": self.cut_held, "cut, reset": self.cut_reset}

    async def pause(self, least_s, most_s):
        await asyncio.sleep(self.random.uniform(least_s, most_s))

    def start(self, node):
        node.start()
        self.down.discard(node)

    async def end(self, node):
        self.down.add(node)
        await asyncio.to_thread(node.kill)

    async def kill(self, nodes):
        await self.end(nodes[0])
        await self.pause(0, 4)
        self.start(nodes[0])

    async def kill_two(self, nodes):
        """The second one at any moment of the first one's absence or return."""
        await self.end(nodes[0])
        await self.pause(0, 1.5)
        if self.random.random() < 0.5:
            self.start(nodes[0])
            await self.pause(0, 1)
        await self.end(nodes[1])
        await self.pause(0, 1)
        for node in nodes:
            if node in self.down:
                self.start(node)

    async def freeze(self, nodes):
        nodes[0].signal(signal.SIGSTOP)
        await self.pause(1, 5)
        nodes[0].signal(signal.SIGCONT)

    async def kill_all(self, nodes):
        for node in nodes:
            self.down.add(node)
            node.signal(signal.SIGKILL)
        for node in nodes:
            await self.end(node)
        await self.pause(0, 1)
        for node in nodes:
            self.start(node)

    async def terminate(self, nodes):
        self.down.add(nodes[0])
        begin = now()
        status = await asyncio.to_thread(nodes[0].stop, STOP_S)
        if status != 0:
            self.history.on_broken(f"{nodes[0].name}: after SIGTERM its status was {status} in {now() - begin:.1f} s")
            await self.end(nodes[0])
        await self.pause(0, 2)
        self.start(nodes[0])

    async def cut_held(self, nodes):
        self.network.cut(nodes[0], relay.HOLD)
        await self.pause(1, 6)
        self.network.heal(keep=self.random.random() < 0.5)

    async def cut_reset(self, nodes):
        self.network.cut(nodes[0], relay.RESET)
        await self.pause(1, 6)
        self.network.heal(keep=False)

    def next_kind(self):
        """Each kind once, in random order, then again."""
        if not self.bag:
            self.bag = list(self.kinds)
            self.random.shuffle(self.bag)
        return self.bag.pop()

    async def one(self):
        kind = self.next_kind()
        nodes = self.random.sample(self.nodes, {"kill all": 3, "kill two": 2}.get(kind, 1))
        fault = Fault(kind, nodes, now(), float("inf"), float("inf"))
        self.done.append(fault)
        await self.kinds[kind](nodes)
        fault.healed = now()
        at = await ready(self.nodes)
        fault.ready = at or now()
        if at is None:
            self.history.on_broken(f"not ready {READY_WAIT_S} s after {kind} of {fault.names()}: " + "; ".join(
                f"{node.name}: {node.get('/readyz')[1].strip()}" for node in self.nodes))
        await self.pause(1.5, 4)
        fault.silences_s = self.silences(fault.begin, now())
        print(f"{self.history.at(fault.begin):>7} s  {kind:10} {fault.names():8}  {fault.healed - fault.begin:4.1f} s, ready "
              f"{fault.ready - fault.healed:4.1f} s later, longest without an acknowledgement {fault.silences_s[0]:4.1f} s, "
              f"at QoS 1 {fault.silences_s[1]:4.1f} s, of one publisher {fault.silences_s[2]:4.1f} s", flush=True)

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
