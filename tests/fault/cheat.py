"""A broker that cheats: a proxy before an honest node that breaks one promise, each in a class of its own."""
import asyncio

import mqtt
import wire
from mqtt import CONNACK, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL

ONE_IN = 15    # messages that are cheated with
EARLY = 30     # numbers of messages that others of their topic follow
EXTRA = 60000  # packet identifiers of what the node never sent; devices and nodes do not get that far


def kind_of(first):
    return first >> 4 << 4


def publish_qos(first):
    return first >> 1 & 3


def packet_id_of(body):
    """Of an acknowledgement."""
    return body[0] << 8 | body[1]


class Honest:
    """Between one client and the node: what goes on instead of a packet is the packets that to_node() and to_client() give."""

    def __init__(self, front):
        self.front = front
        self.name, self.count = "", 0
        self.client, self.node = None, None  # transports

    def is_turn(self):
        self.count += 1
        return self.count % ONE_IN == 0

    def reply(self, packet):
        """To the client, before what comes."""
        self.client.write(packet)

    def to_node(self, first, body):
        if kind_of(first) == mqtt.CONNECT:
            at = 10 + 1 + body[10]  # name, version, flags, keep-alive; properties, fewer than 128 bytes
            self.name = body[at + 2:at + 2 + (body[at] << 8 | body[at + 1])].decode()
        return [wire.packet(first, body)]

    def to_client(self, first, body):
        return [wire.packet(first, body)]

    def on_client_lost(self):
        pass


class Loses(Honest):
    """Acknowledges a message and drops it."""

    def to_node(self, first, body):
        if kind_of(first) == PUBLISH and publish_qos(first) == 1 and self.name.startswith("pub") and self.is_turn():
            self.reply(mqtt.short(PUBACK, mqtt.parse_publish(first, body)[3]))
            return []
        return super().to_node(first, body)


class LosesForLive(Honest):
    """Does so on the way to a subscriber without a session."""

    def to_client(self, first, body):
        if self.name.startswith("live") and kind_of(first) == PUBLISH and publish_qos(first) == 1 and self.is_turn():
            self.node.write(mqtt.short(PUBACK, mqtt.parse_publish(first, body)[3]))
            return []
        return super().to_client(first, body)


class Doubles(Honest):
    """Delivers a message of QoS 2 twice, each time by the rules."""
    topics, names = "f/", "durable"

    def to_client(self, first, body):
        packets = super().to_client(first, body)
        if kind_of(first) == PUBLISH and publish_qos(first) == 2 and self.name.startswith(self.names):
            topic, payload, _, packet_id, _ = mqtt.parse_publish(first, body)
            if topic.startswith(self.topics) and self.is_turn():
                packets.append(mqtt.publish_packet(topic, payload, 2, EXTRA + packet_id % 5000))
        return packets

    def to_node(self, first, body):
        if kind_of(first) in (PUBREC, PUBCOMP) and packet_id_of(body) >= EXTRA:
            if kind_of(first) == PUBREC:
                self.reply(mqtt.short(PUBREL, packet_id_of(body)))
            return []
        return super().to_node(first, body)


class DoublesForLive(Doubles):
    names = "live"


class DoublesWills(Doubles):
    topics = "w/"

    def is_turn(self):
        return True


class Swaps(Honest):
    """Delivers a message after the next one of its topic."""
    names = "durable"

    def __init__(self, front):
        super().__init__(front)
        self.kept = {}  # topic -> the packet that waits

    def to_client(self, first, body):
        packets = super().to_client(first, body)
        if kind_of(first) != PUBLISH or not self.name.startswith(self.names):
            return packets
        topic, payload = mqtt.parse_publish(first, body)[:2]
        if topic in self.kept:
            return packets + self.kept.pop(topic)
        if topic.startswith("f/") and int(payload.split()[1]) < EARLY and self.is_turn():
            self.kept[topic] = packets
            return []
        return packets


class SwapsForLive(Swaps):
    names = "live"


class LosesRetained(Honest):
    """Passes retained messages on as others, from some time on."""

    def to_node(self, first, body):
        if kind_of(first) == PUBLISH and first & 1 and int(mqtt.parse_publish(first, body)[1].split()[1]) > ONE_IN:
            first &= ~1
        return super().to_node(first, body)


class ForgetsRetained(Honest):
    """One of two nodes knows no retained messages."""

    def to_client(self, first, body):
        if self.name == f"new-{self.front.name}" and self.front.is_second and kind_of(first) == PUBLISH:
            return []
        return super().to_client(first, body)


class LosesWills(Honest):
    """Takes each lost connection for one that was ended by a DISCONNECT."""

    def on_client_lost(self):
        self.node.write(wire.DISCONNECT)


class PublishesWills(Honest):
    """Takes each DISCONNECT for a lost connection."""

    def to_node(self, first, body):
        return [] if kind_of(first) == mqtt.DISCONNECT else super().to_node(first, body)


class ForgetsSessions(Honest):
    def to_client(self, first, body):
        if kind_of(first) == CONNACK:
            body = bytes([0]) + body[1:]
        return super().to_client(first, body)


class NeverAcknowledges(Honest):
    """... one publisher."""

    def to_client(self, first, body):
        return [] if self.name == "pub0" and kind_of(first) == PUBACK else super().to_client(first, body)


class End(asyncio.Protocol):
    """Of one of the two connections: passes what `change` makes of each packet to the other."""

    def __init__(self, change, on_open, on_lost):
        self.change, self.on_open, self.on_lost = change, on_open, on_lost
        self.packets, self.transport, self.other, self.early = mqtt.Packets(), None, None, []

    def connection_made(self, transport):
        self.transport = transport
        self.on_open(self)

    def data_received(self, data):
        out = [packet for first, body in self.packets.of(data) for packet in self.change(first, body)]
        if self.other:
            self.other.writelines(out)
        else:
            self.early += out

    def lead_to(self, other):
        self.other = other
        other.writelines(self.early)

    def connection_lost(self, reason):
        self.on_lost(reason)


class Front:
    """What devices take for a node: the address of a proxy before the real one."""
    host, login, tls = "127.0.0.1", (), None

    def __init__(self, node, name, port, cheat, is_second=False):
        self.node, self.name, self.mqtt_port, self.cheat, self.is_second = node, name, port, cheat, is_second
        self.server, self.dials = None, set()

    async def open(self):
        self.server = await asyncio.get_running_loop().create_server(self.accept, self.host, self.mqtt_port)
        return self

    def accept(self):
        cheat = self.cheat(self)
        return End(cheat.to_node, lambda end: self.dial(cheat, end), lambda _: self.on_client_lost(cheat))

    def dial(self, cheat, client):
        cheat.client = client.transport
        task = asyncio.ensure_future(self.dial_node(cheat, client))
        self.dials.add(task)
        task.add_done_callback(self.dials.discard)

    async def dial_node(self, cheat, client):
        make = lambda: End(cheat.to_client, lambda end: None, lambda _: client.transport.close())
        cheat.node, node = await asyncio.get_running_loop().create_connection(make, self.node.host, self.node.mqtt_port)
        node.lead_to(client.transport)
        client.lead_to(cheat.node)
        if client.transport.is_closing():
            self.on_client_lost(cheat)

    @staticmethod
    def on_client_lost(cheat):
        if cheat.node:
            cheat.on_client_lost()
            cheat.node.close()  # what was written before goes out; without a DISCONNECT it is a lost connection

    def close(self):
        self.server.close()
