"""What the kernel here has no queue for: packets between nodes that arrive late, in another order, or not at all.

Each node's namespace has a TUN device whose other end is this program. A delay leads the nodes' routes to each other over
these devices, connections that are open included, and away again when it ends.
"""
import asyncio
import fcntl
import os
import random
import struct

from network import run

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_MAX, AT_ONCE = 65536, 64
DESTINATION = slice(16, 20)  # of an IPv4 header


class Wire:
    """A node's end."""

    def __init__(self, node):
        self.node = node
        self.file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(self.file, TUNSETIFF, struct.pack("16sH22x", f"wire-{node.name}".encode(), IFF_TUN | IFF_NO_PI))
        run("ip", "link", "set", f"wire-{node.name}", "netns", node.name)
        run("ip", "-n", node.name, "link", "set", f"wire-{node.name}", "up")

    def route(self, verb, others):
        run("ip", "-n", self.node.name, "-batch", "-", text="\n".join(
            f"route {verb} {other.node.host}/32 dev wire-{self.node.name} src {self.node.host}" for other in others))

    def write(self, packet):
        try:
            os.write(self.file, packet)
        except OSError:  # its queue is full: a packet that is lost
            pass


class Wires:
    def __init__(self, nodes):
        self.wires = [Wire(node) for node in nodes]
        self.by_address = {bytes(map(int, wire.node.host.split("."))): wire for wire in self.wires}
        self.least_s = self.most_s = self.lost = 0
        self.carried = 0

    def others(self, wire):
        return [other for other in self.wires if other is not wire]

    def begin(self, least_s, most_s, lost):
        """Each packet takes a time of its own, so some overtake others; `lost` of them are."""
        self.least_s, self.most_s, self.lost = least_s, most_s, lost
        for wire in self.wires:
            asyncio.get_running_loop().add_reader(wire.file, self.carry, wire)
            wire.route("replace", self.others(wire))

    def carry(self, wire):
        loop = asyncio.get_running_loop()
        for _ in range(AT_ONCE):
            try:
                packet = os.read(wire.file, PACKET_MAX)
            except BlockingIOError:
                return
            to = self.by_address.get(packet[DESTINATION])
            if to and random.random() >= self.lost:
                self.carried += 1
                loop.call_later(random.uniform(self.least_s, self.most_s), to.write, packet)

    def end(self):
        """What is on its way still arrives."""
        for wire in self.wires:
            wire.route("del", self.others(wire))
