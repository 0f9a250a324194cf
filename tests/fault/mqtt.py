"""MQTT 5.0 on asyncio, no more of it than the devices of the fault test need: many small packets at little cost."""
import asyncio
import socket
import struct

import wire
from wire import packet, string

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 0x10, 0x20, 0x30, 0x40, 0x50, 0x62, 0x70
SUBSCRIBE, SUBACK, DISCONNECT = 0x82, 0x90, 0xE0
MESSAGE_EXPIRY, SESSION_EXPIRY, RECEIVE_MAXIMUM = 0x02, 0x11, 0x21
OPEN_S, CONNACK_S = 1.5, 4
NAMES = {1: "CONNECT", 2: "CONNACK", 3: "PUBLISH", 4: "PUBACK", 5: "PUBREC", 6: "PUBREL", 7: "PUBCOMP", 8: "SUBSCRIBE",
         9: "SUBACK", 14: "DISCONNECT"}


def connect_packet(client_id, clean_start, expiry_s, receive_maximum=None, will=None, login=()):
    """`will` is (topic, payload, QoS); `login`, where there is one, (user, password)."""
    flags = (0x02 if clean_start else 0) | (0x04 | will[2] << 3 if will else 0) | (0xC0 if login else 0)
    properties = struct.pack(">BI", SESSION_EXPIRY, expiry_s)
    if receive_maximum:
        properties += struct.pack(">BH", RECEIVE_MAXIMUM, receive_maximum)
    body = b"\0\4MQTT\5" + bytes([flags, 0, 0, len(properties)]) + properties + string(client_id)
    if will:
        body += b"\0" + string(will[0]) + string(will[1])
    return packet(CONNECT, body + b"".join(map(string, login)))


def publish_packet(topic, payload, qos, packet_id, dup=False, retain=False, expiry_s=None):
    properties = b"" if expiry_s is None else struct.pack(">BI", MESSAGE_EXPIRY, expiry_s)
    return wire.publish_packet(topic, payload.encode(), qos, packet_id, retain=retain, dup=dup, properties=properties)


def subscribe_packet(filters, qos):
    return packet(SUBSCRIBE, b"\0\1\0" + b"".join(string(each) + bytes([qos]) for each in filters))


def short(first_byte, packet_id):
    return struct.pack(">BBH", first_byte, 2, packet_id)


def variable_int(data, at):
    """(value, where it ends)"""
    value = shift = 0
    while True:
        digit = data[at]
        at += 1
        value |= (digit & 0x7F) << shift
        shift += 7
        if digit < 0x80:
            return value, at


def parse_publish(first, body):
    """(topic, payload, QoS, packet id, RETAIN)"""
    qos = first >> 1 & 3
    end = 2 + (body[0] << 8 | body[1])
    packet_id, at = (body[end] << 8 | body[end + 1], end + 2) if qos else (0, end)
    size, at = variable_int(body, at)
    return body[2:end].decode(), body[at + size:].decode(), qos, packet_id, first & 1


class Packets:
    """Cuts a stream into packets."""

    def __init__(self):
        self.buffer = bytearray()

    def of(self, data):
        """The packets (first byte, body) that `data` completes."""
        self.buffer += data
        buffer, at, size = self.buffer, 0, len(self.buffer)
        while size - at >= 2:
            length, begin = buffer[at + 1], at + 2
            if length & 0x80:
                if size - at < 5:
                    break  # no packet is that short: the rest of it comes
                length, begin = variable_int(buffer, at + 1)
            if size - begin < length:
                break
            yield buffer[at], bytes(buffer[begin:begin + length])
            at = begin + length
        del buffer[:at]


class Link(asyncio.Protocol):
    """One connection to a node. The device's on_packet(link, first byte, body) gets all after CONNACK, until the end; then
    `ended` is the time. Each packet is recorded in the device's history."""

    def __init__(self, device, node):
        self.device, self.node, self.packets, self.transport = device, node, Packets(), None
        self.connack = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        self.ended, self.reason = None, None
        self.answers = None  # while packets are read: what is written behind the last of them, at once

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def record(self, direction, what, body=b""):
        self.device.history.record(self.device.name, self.node.name, direction, what, body)

    def send(self, data):
        if self.ended is None:
            self.record(">", NAMES[data[0] >> 4], data)
            if self.answers is not None:
                self.answers.append(data)
            elif not self.transport.is_closing():
                self.transport.write(data)

    def data_received(self, data):
        self.answers = []
        for first, body in self.packets.of(data):
            if self.ended is None:
                self.record("<", NAMES[first >> 4], body)
                self.on_packet(first, body)
        answers, self.answers = self.answers, None
        if answers and self.ended is None:
            self.transport.write(b"".join(answers))

    def on_packet(self, first, body):
        if first == CONNACK and not self.connack.done():
            self.connack.set_result((body[1], bool(body[0] & 1)))
        elif first == DISCONNECT:
            self.reason = body[0] if body else 0
        else:
            self.device.on_packet(self, first, body)

    def connection_lost(self, _):
        self.end()

    def end(self):
        if self.ended is None:
            self.ended = asyncio.get_running_loop().time()
            self.record("-", "END")
            self.lost.set()
            if not self.connack.done():
                self.connack.set_result((None, False))

    def drop(self):
        """Ends it as a lost connection does: what arrived and was not read is not seen any more."""
        self.end()
        if self.transport:
            self.transport.abort()

    def leave(self):
        """Ends it by a DISCONNECT."""
        self.send(wire.DISCONNECT)
        self.end()
        self.transport.close()


async def connect(device, node, first_packet, on_link=lambda link: None):
    """(link, Reason Code, Session Present); the code is None when nobody answers, and the link then ended."""
    loop, link = asyncio.get_running_loop(), None

    def make():
        nonlocal link
        link = Link(device, node)
        return link
    try:
        await asyncio.wait_for(loop.create_connection(make, node.host, node.mqtt_port, ssl=node.tls), OPEN_S)
        on_link(link)
        link.send(first_packet)
        code, present = await asyncio.wait_for(asyncio.shield(link.connack), CONNACK_S)
    except (OSError, asyncio.TimeoutError):
        code, present = None, False
    if code != 0 and link and link.transport:
        link.drop()
    return link, code, present
