"""Nodes that are drained, leave, or are removed: no acknowledged message is lost, and the rest goes on."""
import socket
import subprocess
import threading
import time
import unittest

import harness
import wire
from harness import wait_until
from paho_client import Client


class Publisher(threading.Thread):
    """One message after the other at QoS 1; `acked` are the numbers that were acknowledged, in order."""

    def __init__(self, node, topic):
        super().__init__(daemon=True)
        self.client = Client(node.mqtt_port, f"publisher-{topic}")
        self.topic, self.acked, self.longest_s = topic, [], 0.0
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            started = time.monotonic()
            self.client.publish(self.topic, str(len(self.acked)), 1, timeout_s=30)
            self.acked.append(len(self.acked))
            self.longest_s = max(self.longest_s, time.monotonic() - started)

    def stop(self):
        self.stopping.set()
        self.join(30)
        self.client.close()


def subscriber(node, name, topic, delay_s=0.0, **options):
    client = Client(node.mqtt_port, name, **options)
    take = client.paho.on_message

    def slowly(*arguments):  # Paho acknowledges when this returns
        time.sleep(delay_s)
        take(*arguments)
    if delay_s:
        client.paho.on_message = slowly
    client.subscribe(topic, 1)
    return client


def numbers(client):
    return [int(payload) for payload in client.payloads()]


def clients_of(nodes):
    return [node.metric("shoal_clients") for node in nodes]


def names(node):
    return sorted(member["name"] for member in node.ctl("members")["members"])


def leads(nodes):
    """How many shards each of these leads, as the first of them knows."""
    leaders = [shard["leader"] for shard in nodes[0].ctl("shards")["shards"]]
    return [leaders.count(node.name) for node in nodes]


class Stopping(unittest.TestCase):
    def test_the_others_need_not_wait_for_who_is_told_to_end(self):
        with harness.Cluster(3) as nodes:
            watcher = subscriber(nodes[0], "durable", "t/#", expiry_s=600)
            live = subscriber(nodes[1], "live", "t/#")
            publishers = [Publisher(nodes[i % 2], f"t/{i}") for i in range(4)]
            for each in publishers:
                each.start()
            wait_until(lambda: all(len(each.acked) > 50 for each in publishers), 10, "messages")
            for each in publishers:
                each.longest_s = 0.0
            self.assertEqual(nodes[2].stop(), 0)
            after = [len(each.acked) for each in publishers]
            wait_until(lambda: all(len(each.acked) > before + 50 for each, before in zip(publishers, after)), 10, "messages")
            longest = max(each.longest_s for each in publishers)
            for each in publishers:
                each.stop()
            self.assertLess(longest, 0.5, "a lease and an election take longer")
            for client in (watcher, live):
                wait_until(lambda client=client: len(client.payloads()) >= sum(len(each.acked) for each in publishers),
                           10, "all that was acknowledged")
                client.close()

    def test_a_disk_that_hangs_does_not_hold_a_node(self):
        with harness.Cluster(1) as (node,):
            node.kill()
            hung = node.directory / "hung"
            node.environment = lambda: {"LD_PRELOAD": str(harness.ROOT / "build/release/libslow_sync.so"), "HUNG_SYNC_FILE": str(hung)}
            node.start().wait_ready()
            subscriber = Client(node.mqtt_port, "s", clean=False, expiry_s=3600)
            subscriber.subscribe("t", 1)
            subscriber.close()
            publisher = Client(node.mqtt_port, "p")
            publisher.publish("t", "kept", 1)
            hung.touch()
            publisher.publish("t", "not acknowledged", 1, wait=False)
            time.sleep(0.3)
            started = time.monotonic()
            self.assertEqual(node.stop(15), 1)
            self.assertLess(time.monotonic() - started, 8)
            self.assertIn("waits for a disk", node.tail())
            self.assertEqual(publisher.acked, {1})
            hung.unlink()
            node.start().wait_ready()
            again = Client(node.mqtt_port, "s", clean=False, expiry_s=3600)
            again.expect("kept")
            again.close()

    def test_leaderships_spread_again_over_who_is_back(self):
        with harness.Cluster(3) as nodes:
            self.assertEqual(nodes[2].stop(), 0)
            wait_until(lambda: leads(nodes)[2] == 0 and sum(leads(nodes)) == 8, 5, "two lead all")
            nodes[2].start()
            nodes[2].wait_ready()
            wait_until(lambda: min(leads(nodes)) >= 2, 30, "three lead")
            nodes[1].ctl_text("drain")
            wait_until(lambda: leads(nodes)[1] == 0 and sum(leads(nodes)) == 8, 5, "the others lead all")


class Draining(unittest.TestCase):
    def test_who_is_behind_gets_what_was_acknowledged(self):
        with harness.Cluster(3) as nodes:
            slow = [subscriber(nodes[1], f"slow{i}", "t", delay_s=0.01, version=version,
                               **({"connect_properties": {"ReceiveMaximum": 1}} if version == "5.0" else {}))
                    for i, version in enumerate(("5.0", "3.1.1", "5.0"))]
            idle = harness.raw_connect(nodes[1].mqtt_port, "idle")
            sender = Client(nodes[0].mqtt_port, "sender")
            for i in range(150):
                sender.publish("t", str(i), 1)
            behind = min(len(client.messages) for client in slow)
            said = nodes[1].ctl_text("drain", "--wait")
            self.assertLess(behind, 150, "nobody was behind: the test shows nothing")
            for client in slow:
                client.wait(client.closed.is_set, 10, "closed")
                self.assertEqual(numbers(client), list(range(150)))
            self.assertEqual(harness.raw_disconnect_reason(idle), 0x9C)
            self.assertIn("3 clients left", said)
            self.assertIn("0 clients left", said)
            sender.close()

    def test_under_load_no_acknowledged_message_is_lost(self):
        with harness.Cluster(3) as nodes:
            steady = subscriber(nodes[2], "steady", "load")
            drained = [subscriber(nodes[1], f"drained{i}", "load") for i in range(10)]
            publisher = Publisher(nodes[0], "load")
            publisher.start()
            wait_until(lambda: len(publisher.acked) > 50, 30, "50 acknowledgements")
            owed = len(publisher.acked)
            nodes[1].ctl_text("drain", "--wait", "--rate", "5")
            publisher.stop()
            for client in drained:
                client.wait(client.closed.is_set, 10, "closed")
                # Without a gap up to where it ends, which is after whatever was acknowledged before.
                self.assertEqual(numbers(client), list(range(len(client.messages))))
                self.assertGreaterEqual(len(client.messages), owed)
            counts = [len(client.messages) for client in drained]
            self.assertGreater(max(counts), min(counts), "at a rate, not all at once")
            wait_until(lambda: len(steady.messages) >= len(publisher.acked), 10, "the other node's subscriber has all")
            self.assertEqual(numbers(steady), list(range(len(steady.messages))))
            steady.close()

    def test_refuses_new_clients_until_it_ends(self):
        with harness.Cluster(3) as nodes:
            subscriber(nodes[1], "routed", "r")
            wait_until(lambda: nodes[0].metric("shoal_routes") > 0, 10, "its route known")
            nodes[1].ctl_text("drain", "--wait")
            self.assertIn("draining", nodes[1].get("/readyz")[1])
            self.assertEqual(Client(nodes[1].mqtt_port, "late").connack, 0x9C)
            self.assertEqual(Client(nodes[1].mqtt_port, "late3", version="3.1.1").connack, 3)
            self.assertTrue(nodes[0].is_ready() and nodes[2].is_ready())
            wait_until(lambda: nodes[0].metric("shoal_routes") == 0, 10, "its routes withdrawn")
            nodes[1].ctl_text("drain", "--rate", "0")
            nodes[1].wait_ready()
            back = Client(nodes[1].mqtt_port, "late")
            self.assertEqual(back.connack, 0)
            back.close()

    def test_behind_a_balancer_that_has_not_noticed(self):
        """The emptiest node is the balancer's first choice: it is refused there and goes to the next."""
        with harness.Cluster(3) as nodes, harness.balancer(nodes, interval="10m") as port:
            clients = [Client(port, f"balanced{i}") for i in range(9)]
            wait_until(lambda: all(count == 3 for count in clients_of(nodes)), 5, "three clients a node")
            nodes[1].ctl_text("drain", "--wait")
            away = [i for i, client in enumerate(clients) if client.closed.wait(1)]
            self.assertEqual(len(away), 3)
            for i in away:
                started = time.monotonic()
                clients[i] = Client(port, f"balanced{i}")
                self.assertEqual(clients[i].connack, 0)
                self.assertLess(time.monotonic() - started, 5)
            wait_until(lambda: sum(clients_of(nodes)) == 9 and clients_of(nodes)[1] == 0, 5, "nine clients on two nodes")
            self.assertEqual(Client(nodes[1].mqtt_port, "direct").connack, 0x9C)
            nodes[1].ctl_text("drain", "--rate", "0")
            clients += [Client(port, f"later{i}") for i in range(3)]
            self.assertEqual([client.connack for client in clients], [0] * 12)
            wait_until(lambda: clients_of(nodes)[1] > 0, 5, "the balancer brings clients again")
            for client in clients:
                client.close()

    def test_is_bounded_in_time(self):
        with harness.Cluster(3) as nodes:
            silent = harness.raw_connect(nodes[1].mqtt_port, "silent")
            silent.sendall(b"\x82\x07\x00\x01\x00\x00\x01t\x01")
            silent.recv(4096)  # SUBACK
            sender = Client(nodes[0].mqtt_port, "sender")
            sender.publish("t", "never confirmed", 1)
            late = nodes[1].ctl_text("drain", "--wait", "--timeout", "1s", check=False)
            self.assertIn("clients are still connected after 1s", late)
            started = time.monotonic()
            nodes[1].ctl_text("drain", "--wait")
            self.assertLess(time.monotonic() - started, 20)
            self.assertIn(b"never confirmed", silent.recv(4096))
            silent.close()
            sender.close()


class Leaving(unittest.TestCase):
    def test_under_load(self):
        with harness.Cluster(4) as nodes:
            leaving, staying = nodes[3], nodes[:3]
            steady = [subscriber(node, f"steady-{node.name}", "load/#") for node in staying]
            there = [subscriber(leaving, f"there{i}", "load/#") for i in range(5)]
            publishers = [Publisher(node, f"load/{node.name}") for node in staying]
            idle = harness.raw_connect(leaving.mqtt_port, "idle")
            for publisher in publishers:
                publisher.start()
            wait_until(lambda: all(len(p.acked) > 30 for p in publishers), 30, "acknowledgements")
            said = leaving.ctl_text("leave")
            self.assertIn("has left the cluster", said)
            for node in staying:
                wait_until(lambda node=node: names(node) == ["n1", "n2", "n3"], 10, f"{node.name} has forgotten it")
                self.assertEqual(node.ctl("members")["majority"], 2)
            before = [len(p.acked) for p in publishers]
            leaving.stop()
            wait_until(lambda: all(len(p.acked) > b + 30 for p, b in zip(publishers, before)), 30, "publishers go on")
            for publisher in publishers:
                publisher.stop()
                self.assertLess(publisher.longest_s, 8)
            total = sum(len(p.acked) for p in publishers)
            for client in steady:
                wait_until(lambda client=client: len(client.messages) >= total, 20, "every acknowledged message")
                self.assertFalse(client.closed.is_set())
                client.close()
            self.assertEqual(harness.raw_disconnect_reason(idle), 0x9C)
            for client in there:
                for publisher in publishers:  # no gap in what it got of each
                    got = [int(m[1]) for m in client.messages if m[0] == publisher.topic]
                    self.assertEqual(got, list(range(len(got))))
            leaving.start()
            wait_until(lambda: "has left the cluster" in leaving.get("/readyz")[1], 15, "it says that it is out")
            self.assertEqual(names(nodes[0]), ["n1", "n2", "n3"])

    def test_clients_are_told_who_serves_instead(self):
        there = "other.example:1883"
        reference = b"\x1c" + wire.string(there)
        with harness.Cluster(3, options=["--server-reference", there]) as nodes:
            drained, left = nodes[1:]
            here = [wire.Wire(harness.raw_connect(node.mqtt_port, "here" + node.name)) for node in (drained, left)]
            drained.ctl_text("drain", "--wait")
            self.assertEqual(here[0].packet(), (0xE0, b"\x9c" + bytes([len(reference)]) + reference))
            drained.ctl_text("drain", "--rate", "0")
            drained.wait_ready()
            left.ctl_text("leave")
            self.assertEqual(here[1].packet(), (0xE0, b"\x9d" + bytes([len(reference)]) + reference))
            late = wire.Wire(socket.create_connection(("127.0.0.1", left.mqtt_port), timeout=10))
            self.assertEqual(late.connect("late"), 0x9D)
            self.assertIn(reference, late.connack)
            old = wire.Wire(socket.create_connection(("127.0.0.1", left.mqtt_port), timeout=10))
            self.assertEqual(old.connect("old", version=4), 3)
            for each in (*here, late, old):
                each.sock.close()

    def test_a_killed_node_is_removed_and_the_rest_is_ready(self):
        with harness.Cluster(3) as nodes:
            self.assertIn("use leave on it", nodes[0].ctl_text("remove", "n2", check=False))
            nodes[2].kill()
            wait_until(lambda: subprocess.run(
                [harness.SHOAL, "ctl", "--data-dir", str(nodes[0].directory), "remove", "n3"],
                capture_output=True).returncode == 0, 15, "n3 removed")
            for node in nodes[:2]:
                node.wait_ready()
            self.assertEqual(names(nodes[0]), ["n1", "n2"])
            client = subscriber(nodes[0], "alone", "x")
            client.publish("x", "1", 1)
            client.expect("1")
            client.close()


if __name__ == "__main__":
    harness.main()
