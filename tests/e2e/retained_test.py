"""Retained messages, more of them than any buffer holds: a wildcard subscription on another node gets each once."""
import collections
import os
import struct
import threading
import time
import unittest

import harness
import wire
from harness import wait_until

COUNT = 200_000
TOPICS = 1_000  # of the first level
PORTION = 100  # the Receive Maximum
RESIDENT_MAX = 600 * 1024 * 1024


def topic_of(number):
    return f"r/{number % TOPICS}/{number}"


def retain_all(node):
    client = wire.Wire(wire.tcp(node.mqtt_port))
    client.connect("retainer")
    for first in range(0, COUNT, PORTION):
        client.send(*[wire.publish_packet(topic_of(first + i), str(first + i).encode(), 1, 1 + i, retain=True)
                      for i in range(PORTION)])
        for _ in range(PORTION):
            client.expect(0x40)
    client.close()


class Subscriber:
    """Reads what it gets and acknowledges it, with pauses if it is slow; counts how often each number came."""

    def __init__(self, node, client_id, qos, pause_s=0.0, expiry_s=None):
        self.client = wire.Wire(wire.tcp(node.mqtt_port))
        self.client.connect(client_id, expiry_s=expiry_s)
        self.counts, self.pause_s = collections.Counter(), pause_s
        self.client.send(wire.subscribe_packet("r/#", qos))
        self.client.expect(0x90)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        acks = []
        try:
            while len(self.counts) < COUNT:
                first, body = self.client.packet()
                end = 2 + int.from_bytes(body[:2], "big")
                if first >> 1 & 3:
                    acks.append(struct.pack(">BB", 0x40, 2) + body[end:end + 2])
                    end += 2
                self.counts[int(body[end + 1:])] += 1
                if len(acks) == 50:
                    self.client.send(*acks)
                    acks.clear()
                    time.sleep(self.pause_s)
        except (wire.Closed, OSError):
            pass

    def done(self):
        return len(self.counts) == COUNT


class Retained(unittest.TestCase):
    def test_two_hundred_thousand(self):
        with harness.Cluster(3) as nodes:
            retain_all(nodes[0])
            for node in nodes:
                wait_until(lambda node=node: node.metric("shoal_retained_messages") == COUNT, 20, f"all at {node.name}")
            live = Subscriber(nodes[1], "live", 0)
            slow = Subscriber(nodes[1], "slow", 1, pause_s=0.001)
            durable = Subscriber(nodes[2], "durable", 1, expiry_s=600)
            for subscriber, name in ((live, "live"), (slow, "slow"), (durable, "durable")):
                wait_until(subscriber.done, 120, f"all for {name}", every_s=0.2)
                self.assertEqual(max(subscriber.counts.values()), 1, name)
            for node in nodes:
                resident = int(open(f"/proc/{node.process.pid}/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
                self.assertLess(resident, RESIDENT_MAX, node.name)

    def test_a_repeat_at_qos_2_does_not_overwrite_a_newer_one(self):
        def durable(node):
            client = wire.Wire(wire.tcp(node.mqtt_port))
            self.assertEqual(client.connect("publisher", clean=False, expiry_s=600), 0)
            return client

        def retained(node):
            client = wire.Wire(wire.tcp(node.mqtt_port))
            client.connect("reader")
            client.send(wire.subscribe_packet("t", 0))
            client.expect(0x90)
            _, body = client.packet()
            client.close()
            return body[4:]

        old = [wire.publish_packet("t", b"old", 2, 7, retain=True, dup=dup) for dup in (False, True)]
        with harness.Cluster(2) as nodes:
            first = durable(nodes[0]).send(old[0])
            first.expect(0x50)
            other = wire.Wire(wire.tcp(nodes[1].mqtt_port))
            other.connect("other")
            other.send(wire.publish_packet("t", b"new", 1, 1, retain=True)).expect(0x40)
            first.send(old[1]).expect(0x50)
            self.assertEqual([retained(node) for node in nodes], [b"new"] * 2)
            first.close()
            again = durable(nodes[1]).send(old[1])
            again.expect(0x50)
            self.assertEqual([retained(node) for node in nodes], [b"new"] * 2)
            again.send(wire.pubrel_packet(7)).expect(0x70)
            again.send(wire.publish_packet("t", b"newest", 2, 7, retain=True)).expect(0x50)
            self.assertEqual([retained(node) for node in nodes], [b"newest"] * 2)
            again.close()
            other.close()


if __name__ == "__main__":
    harness.main()
