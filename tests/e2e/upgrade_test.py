"""Nodes of two versions: a cluster is upgraded one node after the other while clients publish and receive on all of them."""
import subprocess
import threading
import time
import unittest

import harness
import paho.mqtt.client as paho
from harness import wait_until
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho_client import Client

BEFORE = ["--protocol-version", "1"]
NAMES = ("n1", "n2", "n3")


def level(node):
    return node.ctl("members")["protocol_level"]


def speaks(node):
    return {member["name"]: member["speaks"] for member in node.ctl("members")["members"]}


def log_of(node):
    return node.log_path.read_text(errors="replace")


def restart(node, options=()):
    assert node.stop() == 0
    node.options = list(options)
    node.start().wait_ready(30)


class Publisher(threading.Thread):
    """Numbers on a topic of its own at one QoS, one after the other, at one node whenever that is there. `acked` were
    acknowledged; what was open when a connection ended may have come or not, and is not sent again."""

    def __init__(self, node, qos):
        super().__init__(daemon=True)
        self.node, self.qos, self.topic = node, qos, f"up/{node.name}/{qos}"
        self.number, self.acked, self.stopping = 0, [], threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                client = Client(self.node.mqtt_port, f"publisher-{self.topic}-{self.number}")
            except (OSError, AssertionError):
                time.sleep(0.1)
                continue
            while not self.stopping.is_set() and not client.closed.is_set():
                self.publish(client)
            client.close()

    def publish(self, client):
        mid = client.publish(self.topic, str(self.number), self.qos, wait=False)
        client.wait(lambda: mid in client.acked or client.closed.is_set(), 30, f"{self.number} on {self.topic}")
        if mid in client.acked:
            self.acked.append(self.number)
        self.number += 1

    def stop(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive(), f"{self.topic}: {self.number} is not acknowledged"


class Subscriber:
    """A durable session at one node, to which it comes back by itself whenever that is there."""

    def __init__(self, node):
        self.name, self.received, self.subscribed = f"subscriber-{node.name}", {}, threading.Event()
        self.connects = self.lost_sessions = 0
        self.paho = paho.Client(client_id=self.name, protocol=paho.MQTTv5)
        self.paho.reconnect_delay_set(0.1, 0.5)
        self.paho.on_connect = self.on_connect
        self.paho.on_message = lambda _client, _data, message: \
            self.received.setdefault(message.topic, []).append(int(message.payload))
        self.paho.on_subscribe = lambda *_: self.subscribed.set()
        expiry = Properties(PacketTypes.CONNECT)
        expiry.SessionExpiryInterval = 600
        self.paho.connect("127.0.0.1", node.mqtt_port, keepalive=10, properties=expiry)
        self.paho.loop_start()
        wait_until(lambda: self.connects, 10, f"{self.name} is connected")
        self.paho.subscribe("up/#", 2)
        assert self.subscribed.wait(10), "SUBACK"

    def on_connect(self, _client, _data, flags, reason, _properties):
        if reason.value >= 0x80:
            return
        self.lost_sessions += self.connects > 0 and not flags["session present"]
        self.connects += 1

    def check(self, publisher):
        """What was acknowledged came, in order, and at QoS 2 once."""
        def missing():
            return set(publisher.acked) - set(self.received.get(publisher.topic, []))
        wait_until(lambda: not missing(), 30, f"{self.name} gets all on {publisher.topic}")
        got = self.received[publisher.topic]
        first = list(dict.fromkeys(got))
        assert first == sorted(first), f"{self.name}: {publisher.topic} out of order"
        assert publisher.qos < 2 or len(got) == len(first), f"{self.name}: {publisher.topic}: something came twice"

    def close(self):
        assert self.lost_sessions == 0, f"{self.name} lost its session"
        self.paho.disconnect()
        self.paho.loop_stop()


class Load:
    def __init__(self, nodes):
        self.subscribers = [Subscriber(node) for node in nodes]
        self.publishers = [Publisher(node, qos) for node in nodes for qos in (1, 2)]
        for publisher in self.publishers:
            publisher.start()
        self.go_on()

    def go_on(self, count=20):
        before = [len(publisher.acked) for publisher in self.publishers]
        wait_until(lambda: all(len(p.acked) >= had + count for p, had in zip(self.publishers, before)), 60,
                   "every publisher goes on")

    def check(self):
        for publisher in self.publishers:
            publisher.stop()
        for subscriber in self.subscribers:
            for publisher in self.publishers:
                subscriber.check(publisher)
            subscriber.close()


class Upgrade(unittest.TestCase):
    def refused_to_start(self, node, options):
        """What it says that does not start with these."""
        node.options = options
        said = subprocess.run(node.command(), capture_output=True, text=True, timeout=20)
        return said.returncode, said.stderr

    def test_a_cluster_is_upgraded_under_load(self):
        cluster = harness.Cluster(3)
        for node in cluster.nodes[:2]:
            node.options = BEFORE
        with cluster as nodes:
            self.assertEqual([level(node) for node in nodes], [1, 1, 1])
            wait_until(lambda: all(speaks(node)["n3"] == 2 for node in nodes[2:]), 5, "n3 says what it speaks")
            self.assertEqual(speaks(nodes[2]), {"n1": 1, "n2": 1, "n3": 2})
            self.assertEqual([node.metric("shoal_protocol_max") for node in nodes], [1, 1, 2])
            load = Load(nodes)

            restart(nodes[0])
            load.go_on()
            self.assertEqual([level(node) for node in nodes], [1, 1, 1])
            restart(nodes[0], BEFORE)  # until all are upgraded, any may go back
            load.go_on()
            restart(nodes[0])
            load.go_on()
            time.sleep(1)
            self.assertEqual([node.metric("shoal_protocol_level") for node in nodes], [1, 1, 1])
            restart(nodes[1])
            wait_until(lambda: [level(node) for node in nodes] == [2, 2, 2], 20, "the level rises by itself")
            for node in nodes:
                self.assertIn("the cluster is at protocol 2 now", log_of(node))
                self.assertEqual(speaks(node), dict.fromkeys(NAMES, 2))
            load.go_on()
            restart(nodes[2])
            self.assertEqual(level(nodes[2]), 2)
            load.go_on()

            self.assertEqual(nodes[1].stop(), 0)
            status, said = self.refused_to_start(nodes[1], BEFORE)
            self.assertEqual(status, 1)
            self.assertIn("its cluster is at protocol 2, and this node speaks 1 to 1 with --protocol-version", said)
            nodes[1].options = []
            nodes[1].start().wait_ready(30)
            load.go_on()
            self.refuse_newcomer(nodes)
            load.check()

    def refuse_newcomer(self, nodes):
        late = harness.Node(nodes[0].directory.parent, "late", join=nodes[0].join, expect=3, options=BEFORE)
        nodes.append(late)  # ended with the others
        late.start()
        why = "the cluster is at protocol 2, node late speaks 1 to 1: it needs a later version"
        wait_until(lambda: why in log_of(late) and any(why in log_of(node) for node in nodes[:3]), 10,
                   "both logs say why it is refused")
        self.assertIn(why, late.get("/readyz")[1])
        self.assertTrue(all(node.is_ready() for node in nodes[:3]))
        late.kill()

    def test_what_is_no_version_is_refused(self):
        cluster = harness.Cluster(1)
        self.addCleanup(cluster.close)
        for value in ("0", "3", "two"):
            status, said = self.refused_to_start(cluster.nodes[0], ["--protocol-version", value])
            self.assertEqual(status, 2, said)
            self.assertIn("--protocol-version", said)
            self.assertIn("from 1 to 2", said)


if __name__ == "__main__":
    harness.main()
