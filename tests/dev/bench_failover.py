"""How long nobody's durable publish is acknowledged when a node is killed, and how soon all nodes serve after a partition.

One session of each shard wants the topic, so a publish is acknowledged when all shards have it: the slowest of them counts.
"""
import asyncio
import statistics
import sys
import tempfile

import pieces
import relay
from loopback import Failure

sys.path[:0] = [str(pieces.ROOT / "tests/e2e"), str(pieces.ROOT / "tests/fault")]
import harness  # noqa: E402 pylint: disable=wrong-import-position
import mqtt     # noqa: E402 pylint: disable=wrong-import-position

SESSIONS = 64        # so that each of the shards has one
PATIENCE_S = 30
APART_S = 5
KILLS_OF_A_ROUND = 2
FAILOVER_S, HEALED_S = 1, 5  # wanted


def now():
    return asyncio.get_running_loop().time()


class NoHistory:
    """What devices of the fault test record: of no use here."""

    def record(self, *_):
        pass


class Publisher:
    """Publishes one message after the other at one node: each when the one before it was acknowledged."""

    def __init__(self, node, number=1):
        self.node, self.link, self.packet_id, self.acked = node, None, 0, asyncio.Event()
        self.history, self.name = NoHistory(), "publisher"
        self.client_id = f"probe{number}"
        self.is_subscribed = asyncio.Event()

    async def connect(self, expiry_s=0):
        """Repeated until the node takes it."""
        end = now() + PATIENCE_S
        while now() < end:
            packet = mqtt.connect_packet(self.client_id, expiry_s == 0, expiry_s)
            self.link, code, _ = await mqtt.connect(self, self.node, packet)
            if code == 0:
                return
            await asyncio.sleep(0.02)
        raise Failure(f"{self.node.name} takes no client")

    def on_packet(self, _, first, body):
        if first == mqtt.PUBACK and (body[0] << 8 | body[1]) == self.packet_id:
            self.acked.set()
        if first == mqtt.SUBACK:
            self.is_subscribed.set()

    def on_lost(self, _):
        self.acked.set()

    async def subscribe(self, topic):
        self.link.send(mqtt.subscribe_packet([topic], 1))
        await asyncio.wait_for(self.is_subscribed.wait(), PATIENCE_S)

    async def publish(self):
        """Until it is acknowledged, on another connection if need be."""
        while True:
            self.packet_id = self.packet_id % 60000 + 1
            self.acked.clear()
            self.link.send(mqtt.publish_packet("probe", "x" * 16, 1, self.packet_id))
            await asyncio.wait_for(self.acked.wait(), PATIENCE_S)
            if self.link.ended is None:
                return
            await self.connect()

    def leave(self):
        if self.link and self.link.ended is None:
            self.link.leave()


async def queue_for_all_shards(node):
    for number in range(SESSIONS):
        subscriber = Publisher(node, f"-absent{number}")
        await subscriber.connect(expiry_s=3600)
        await subscriber.subscribe("probe")
        subscriber.leave()


def leads_of(node):
    """How many shards each node leads, by its name."""
    leads = {}
    for shard in node.ctl("shards")["shards"]:
        leads[shard["leader"]] = leads.get(shard["leader"], 0) + 1
    return leads


async def failover(nodes):
    """Seconds from kill -9 of the node that leads most to the acknowledgement of the first publish that was sent after it."""
    leads = await asyncio.to_thread(leads_of, nodes[0])
    victim = max(nodes, key=lambda node: leads.get(node.name, 0))
    publisher = Publisher(next(node for node in nodes if node is not victim))
    await publisher.connect()
    for _ in range(100):
        await publisher.publish()
    began = now()
    victim.process.kill()
    await publisher.publish()
    took = now() - began
    publisher.leave()
    victim.process.wait()
    victim.start()
    await all_ready(nodes)
    return took


async def all_ready(nodes):
    end = now() + PATIENCE_S
    while now() < end:
        if all(await asyncio.gather(*(asyncio.to_thread(node.is_ready) for node in nodes))):
            return
        await asyncio.sleep(0.02)
    raise Failure("not all nodes became ready again")


async def heal(nodes, network, victim):
    """Seconds from the end of a partition until every node has acknowledged a durable publish."""
    network.cut(victim, relay.HOLD)
    await asyncio.sleep(APART_S)
    if await asyncio.to_thread(victim.is_ready):
        raise Failure(f"{victim.name} is ready although it is cut off")
    network.heal(True)
    began = now()

    async def serve(number, node):
        publisher = Publisher(node, f"-at{number}")
        await publisher.connect()
        await publisher.publish()
        publisher.leave()
    await asyncio.gather(*(serve(number, node) for number, node in enumerate(nodes)))
    await all_ready(nodes)
    return now() - began


def open_cluster():
    """The nodes, not yet started, and the ports of their relays."""
    (pieces.ROOT / "build/bench").mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(pieces.ROOT / "build/bench")
    cluster = harness.Cluster(3, ("--log-level", "warning"))
    ports = [harness.free_port() for _ in cluster.nodes]
    relays = [f"127.0.0.1:{port}" for port in ports]
    for node, address in zip(cluster.nodes, relays):
        node.join = relays
        node.options = [*node.options, "--peer-advertise", address]
    return cluster, ports


async def run(rounds):
    cluster, ports = open_cluster()
    network = relay.Network(cluster.nodes)
    await network.open(ports)
    try:
        await asyncio.to_thread(cluster.__enter__)
        await queue_for_all_shards(cluster.nodes[0])
        failovers = [await failover(cluster.nodes) for _ in range(rounds * KILLS_OF_A_ROUND)]
        heals = [await heal(cluster.nodes, network, cluster.nodes[number % 3]) for number in range(rounds)]
        return failovers, heals
    finally:
        network.close()
        cluster.close()


def line(what, times, most):
    verdict = "met" if max(times) < most else "not met"
    return f"| {what} | {len(times)} | {statistics.median(times):.2f} | {max(times):.2f} | {most}: {verdict} |"


def measure(rounds):
    failovers, heals = asyncio.run(run(rounds))
    return "\n".join([
        "\n## Failover\n",
        "Three nodes, one publisher with one message on its way, which all shards must have before it is acknowledged.\n",
        "| seconds | times | median | most | wanted, at most |", "|---|---|---|---|---|",
        line("kill -9 of the node that leads most, to the next acknowledgement", failovers, FAILOVER_S),
        line(f"end of a partition of {APART_S} s, until every node has acknowledged", heals, HEALED_S)]) + "\n"
