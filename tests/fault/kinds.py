"""The kinds of fault: what each does to how many nodes, and what a machine must give for it."""
import asyncio
import dataclasses
import signal
import typing

from history import now
from network import IN, OUT

STOP_S = 10
JUMP_MAX_S = 900  # two clocks differ by half an hour at most; what expires here does so after an hour: nothing may


@dataclasses.dataclass
class Kind:
    name: str
    count: int                # of nodes that it is done to
    do: typing.Callable       # (faults, nodes)
    needs: str = "processes"
    hits: str = "those"       # whose clients may notice: of those, of all, of none
    loses_replicas: bool = False
    holds_clients: bool = False  # packets of clients, too, are held up
    is_in_short: bool = True  # not if another kind has it in itself

    def hit(self, nodes, everyone):
        return {"those": nodes, "all": everyone, "none": []}[self.hits]


# -- processes -----------------------------------------------------------------------------------------------------

async def kill(faults, nodes):
    await faults.end(nodes[0])
    await faults.pause(0, 4)
    faults.start(nodes[0])


async def kill_two(faults, nodes):
    """The second one at any moment of the first one's absence or return."""
    await faults.end(nodes[0])
    await faults.pause(0, 1.5)
    if faults.random.random() < 0.5:
        faults.start(nodes[0])
        await faults.pause(0, 1)
    await faults.end(nodes[1])
    await faults.pause(0, 1)
    for node in nodes:
        if node in faults.down:
            faults.start(node)


async def kill_all(faults, nodes):
    await faults.end_all(nodes)
    await faults.pause(0, 1)
    for node in nodes:
        faults.start(node)


async def terminate(faults, nodes):
    faults.down.add(nodes[0])
    begin = now()
    status = await asyncio.to_thread(nodes[0].stop, STOP_S)
    if status != 0:
        faults.history.on_broken(f"{nodes[0].name}: after SIGTERM its status was {status} in {now() - begin:.1f} s")
        await faults.end(nodes[0])
    await faults.pause(0, 2)
    faults.start(nodes[0])


async def freeze(faults, nodes):
    nodes[0].signal(signal.SIGSTOP)
    await faults.pause(1, 5)
    nodes[0].signal(signal.SIGCONT)


# -- disks ---------------------------------------------------------------------------------------------------------

async def wipe(faults, nodes):
    await faults.end(nodes[0])
    await asyncio.to_thread(nodes[0].wipe)
    await faults.pause(0, 2)
    faults.start(nodes[0])


async def wipe_and_lose(faults, nodes):
    """The second one dies, by itself or with its power, while the first one gets its replicas."""
    await wipe(faults, nodes[:1])
    await faults.pause(0, 15)
    await (cut_power if nodes[1].disk and faults.random.random() < 0.5 else kill)(faults, nodes[1:])


async def cut_power(faults, nodes):
    """For a moment the processes run on without their disks: what they acknowledge then counts, too."""
    faults.down.update(nodes)
    for node in nodes:
        node.disk.cut()
    await faults.pause(0, 0.3)
    await faults.end_all(nodes)
    for node in nodes:
        await asyncio.to_thread(node.disk.restore)
    await faults.pause(0, 2)
    for node in nodes:
        faults.start(node)


# -- the network ---------------------------------------------------------------------------------------------------

async def filtered(faults, node, begin, least_s=1, most_s=6):
    """While `begin`, of the node's filter, lasts."""
    await asyncio.to_thread(begin)
    await faults.pause(least_s, most_s)
    if await asyncio.to_thread(node.filter.heal) == 0:
        faults.history.on_broken(f"the filter of {node.name} held nothing up")


def peers_of(faults, node):
    return [other for other in faults.nodes if other is not node]


async def cut(faults, nodes):
    await filtered(faults, nodes[0], lambda: nodes[0].filter.cut(peers_of(faults, nodes[0])))


async def cut_with_resets(faults, nodes):
    await filtered(faults, nodes[0], lambda: nodes[0].filter.reset(peers_of(faults, nodes[0])))


async def cut_two(faults, nodes):
    """The two lose each other; the third sees both."""
    await filtered(faults, nodes[0], lambda: nodes[0].filter.cut(nodes[1:]))


async def cut_one_way(faults, nodes):
    """Nothing from it arrives, or nothing arrives there: by all, or by one."""
    peers = faults.random.choice((peers_of(faults, nodes[0]), nodes[1:]))
    directions = faults.random.choice((OUT, IN))
    await filtered(faults, nodes[0], lambda: nodes[0].filter.cut(peers, directions))


async def cut_devices(faults, nodes):
    await filtered(faults, nodes[0], nodes[0].filter.cut_devices)


async def lose(faults, nodes):
    percent = faults.random.choice((2, 5, 15))
    for node in nodes[1:]:
        await asyncio.to_thread(node.filter.lose, percent)
    await filtered(faults, nodes[0], lambda: nodes[0].filter.lose(percent), 2, 6)
    for node in nodes[1:]:
        await asyncio.to_thread(node.filter.heal)


async def delay(faults, nodes):
    """Between the nodes, each packet by itself; some are lost besides."""
    before = faults.wires.carried
    most_s = faults.random.choice((0.02, 0.1, 0.3))
    faults.wires.begin(most_s * faults.random.choice((0.1, 0.8)), most_s, faults.random.choice((0, 0, 0.01)))
    await faults.pause(2, 6)
    faults.wires.end()
    if faults.wires.carried == before:
        faults.history.on_broken("the wires carried nothing")


# -- clocks --------------------------------------------------------------------------------------------------------

async def jump(faults, nodes):
    """The wall clocks of some nodes; they stay there until they jump again."""
    for node in nodes[:faults.random.randint(1, len(nodes))]:
        node.clock.set(faults.random.uniform(-JUMP_MAX_S, JUMP_MAX_S))
    await faults.pause(1, 3)


KINDS = (
    Kind("kill", 1, kill), Kind("kill two", 2, kill_two), Kind("kill all", 3, kill_all), Kind("terminate", 1, terminate),
    Kind("freeze", 1, freeze), Kind("wipe", 1, wipe, loses_replicas=True, is_in_short=False),
    Kind("wipe, then loss", 2, wipe_and_lose, loses_replicas=True),
    Kind("power cut", 1, cut_power, "disks"), Kind("power cut of all", 3, cut_power, "disks"),
    Kind("cut", 1, cut, "network"), Kind("cut, reset", 1, cut_with_resets, "network"), Kind("cut of two", 2, cut_two, "network"),
    Kind("cut one way", 2, cut_one_way, "network"), Kind("cut of clients", 1, cut_devices, "network", holds_clients=True),
    Kind("loss", 3, lose, "network", "all", holds_clients=True), Kind("delay", 3, delay, "wires", "all"),
    Kind("clock jump", 3, jump, "clocks", "none"))


def possible(nodes, wires):
    """Those for which the ground has what they need."""
    there = {"processes": True, "disks": nodes[0].disk, "network": nodes[0].filter, "wires": wires, "clocks": nodes[0].clock}
    return [kind for kind in KINDS if there[kind.needs]]
