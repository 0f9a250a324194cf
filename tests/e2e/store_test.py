"""The store of real nodes: what was acknowledged for a durable session is there after kill -9; a node whose log is lost or
whose disk fails says so and ends."""
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import harness
import wire
from harness import wait_until
from paho_client import Client

CANNOT_RUN = 1


def leave_subscriber(port, qos=1):
    client = Client(port, "durable", expiry_s=3600)
    client.subscribe("d/#", qos)
    client.close()


def publish(port, first, last, payload="{}"):
    client = Client(port, "publisher")
    for number in range(first, last + 1):
        client.publish("d/t", payload.format(number), 1)
    client.close()


def back(port):
    """The durable subscriber again: connected, with its session."""
    client = Client(port, "durable", clean=False, expiry_s=3600)
    assert client.session_present, "the session is lost"
    return client


def cut_power(nodes):
    """All are killed before the first of them is back."""
    for node in nodes:
        node.signal(signal.SIGKILL)
    for node in nodes:
        node.kill()
        node.start()
    for node in nodes:
        node.wait_ready()


class Users(unittest.TestCase):
    def test_who_is_refused_a_session_does_not_throw_its_user_out(self):
        with tempfile.NamedTemporaryFile("w", suffix=".users") as users:
            subprocess.run([harness.SHOAL, "passwd", users.name], input="alice:a\nbob:b\n", text=True, check=True)
            with harness.Cluster(2, options=["--password-file", users.name]) as nodes:
                def connect(node, user, expiry_s=3600):
                    sock = socket.create_connection(("127.0.0.1", node.mqtt_port), timeout=10)
                    client = wire.Wire(sock)
                    client.connect("device", user=user, password=user[0], clean=False, expiry_s=expiry_s)
                    return client
                alice = connect(nodes[0], "alice")
                for node in [*nodes] * 4:  # every worker too
                    bob = connect(node, "bob", expiry_s=None)
                    self.assertEqual(bob.connack[1], 0x87)
                    bob.close()
                alice.ping()
                again = connect(nodes[1], "alice")
                self.assertEqual(again.connack[:2], b"\x01\x00")
                self.assertEqual(alice.packet(), (0xE0, b"\x8e"))
                again.close()


class Store(unittest.TestCase):
    def expect(self, port, last):
        client = back(port)
        wait_until(lambda: len(client.messages) >= last, 15, f"{last} messages, {len(client.messages)} came")
        self.assertEqual([int(message[1].split()[0]) for message in client.messages], list(range(1, last + 1)))
        client.close()

    def test_one_node_keeps_what_it_acknowledged_under_kill(self):
        with harness.Cluster(1) as (node,):
            leave_subscriber(node.mqtt_port)
            for begin in (1, 101, 201):
                publish(node.mqtt_port, begin, begin + 99)
                node.kill()
                node.start().wait_ready()
            self.expect(node.mqtt_port, 300)

    def test_three_nodes_killed_at_once(self):
        with harness.Cluster(3) as nodes:
            leave_subscriber(nodes[0].mqtt_port)
            publish(nodes[1].mqtt_port, 1, 100)
            cut_power(nodes)
            self.expect(nodes[2].mqtt_port, 100)

    def test_a_clean_start_at_any_node_ends_the_session(self):
        """[MQTT5-3.1.2-4] [MQTT311-3.1.2-6]: at the leader of its shard, and elsewhere; soon after it began, and after a kill."""
        def visit(node, number, version, clean, kept=True):
            client = Client(node.mqtt_port, f"device-{number}", version, clean=clean, expiry_s=3600 if kept else 0)
            client.close()
            return client.session_present

        with harness.Cluster(3) as nodes:
            for version in ("5.0", "3.1.1"):
                for number in range(8):  # in several shards
                    for node in nodes:
                        self.assertFalse(visit(nodes[number % 3], number, version, False), "a new session")
                        self.assertFalse(visit(node, number, version, True, kept=False), "a clean start")
                        self.assertFalse(visit(nodes[(number + 1) % 3], number, version, False), "it was ended")
                        self.assertTrue(visit(node, number, version, False), "it was kept")
                        visit(nodes[number % 3], number, version, True, kept=False)
                        visit(node, number, version, True, kept=False)
            for number in range(8):
                visit(nodes[0], number, "5.0", False)
            cut_power(nodes)
            for number in range(8):
                visit(nodes[number % 3], number, "5.0", True, kept=False)
                self.assertFalse(visit(nodes[1], number, "5.0", False), "it was ended after the power cut")

    def test_a_qos_2_publish_is_repeated_at_another_node(self):
        """[MQTT5-4.3.3-10]: PUBREC was lost with the connection, or even with the node."""
        def connect(node, is_new):
            client = wire.Wire(wire.tcp(node.mqtt_port))
            client.send(wire.connect_packet("exactly-once", clean=is_new, expiry_s=3600))
            client.expect(0x20)
            return client

        with harness.Cluster(3) as nodes:
            leave_subscriber(nodes[2].mqtt_port, 2)
            live = Client(nodes[1].mqtt_port, "live")
            live.subscribe("d/#", 2)
            first = connect(nodes[0], True)
            first.send(wire.publish_packet("d/t", b"1", 2, 7)).expect(0x50)
            first.close()
            second = connect(nodes[1], False)
            second.send(wire.publish_packet("d/t", b"1", 2, 7, dup=True)).expect(0x50)
            nodes[0].kill()
            nodes[1].wait_ready()
            second.send(wire.publish_packet("d/t", b"1", 2, 7, dup=True)).expect(0x50)
            second.send(wire.pubrel_packet(7)).expect(0x70)
            second.send(wire.publish_packet("d/t", b"2", 2, 7)).expect(0x50)  # a new message
            second.send(wire.pubrel_packet(7)).expect(0x70)
            second.close()
            self.expect(nodes[2].mqtt_port, 2)
            wait_until(lambda: len(live.messages) >= 2, 10, "both live")
            time.sleep(0.3)
            self.assertEqual([message[1] for message in live.messages], [b"1", b"2"])
            live.close()

    def test_a_node_that_lost_its_disk_gets_new_replicas(self):
        def replicas_of(node):
            return [set(shard["replicas"].split(",")) if shard["replicas"] else set()
                    for shard in node.ctl("shards")["shards"]]

        with harness.Cluster(3) as nodes:
            leave_subscriber(nodes[0].mqtt_port)
            publish(nodes[1].mqtt_port, 1, 500)
            nodes[2].kill()
            shutil.rmtree(nodes[2].directory)
            nodes[2].start().wait_ready(30)
            wait_until(lambda: all(each == {"n1", "n2", "n3"} for each in replicas_of(nodes[0])), 60,
                       f"replicas of all shards on the new node: {replicas_of(nodes[0])}")
            publish(nodes[1].mqtt_port, 501, 600)
            # One of those that have the history may go now.
            nodes[0].kill()
            wait_until(nodes[1].is_ready, 20, "the others go on")
            publish(nodes[1].mqtt_port, 601, 700)
            self.expect(nodes[2].mqtt_port, 700)

    def test_retained_messages_survive_a_power_cut_of_all_nodes(self):
        def retained_of(port):
            client = Client(port, "looks")
            client.subscribe("r/#", 1)
            time.sleep(0.5)
            client.close()
            return {topic: payload for topic, payload in (message[:2] for message in client.messages)}

        for count in (1, 3):
            with self.subTest(nodes=count), harness.Cluster(count) as nodes:
                client = Client(nodes[0].mqtt_port, "publisher")
                for number in range(100):
                    client.publish(f"r/{number}", f"v{number}", number % 3, retain=True)
                for number in range(0, 100, 10):
                    client.publish(f"r/{number}", b"", 1, retain=True)
                client.publish("r/1", "again", 2, retain=True)
                cut_power(nodes)
                expected = {f"r/{number}": f"v{number}" for number in range(100) if number % 10 != 0}
                expected["r/1"] = "again"
                for node in nodes:
                    found = retained_of(node.mqtt_port)
                    # Those at QoS 0 were not acknowledged.
                    owed = {topic for topic in expected if int(topic[2:]) % 3 != 0 or topic == "r/1"}
                    self.assertLessEqual(set(found), set(expected))
                    self.assertLessEqual(owed, set(found))
                    for topic, payload in found.items():
                        self.assertEqual(payload.decode(), expected[topic])

    def test_a_node_that_lost_its_log_ends(self):
        with harness.Cluster(1) as (node,):
            leave_subscriber(node.mqtt_port)
            node.kill()
            shutil.rmtree(node.directory / "log")
            node.start()
            self.assertEqual(node.process.wait(10), CANNOT_RUN)
            self.assertIn("/log is missing", node.tail())

    def test_a_node_whose_disk_fails_ends_and_has_lost_nothing(self):
        with harness.Cluster(1) as (node,):
            leave_subscriber(node.mqtt_port)
            resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (300_000, 300_000))
            client = Client(node.mqtt_port, "publisher")
            acked = 0
            with self.assertRaises((AssertionError, OSError, ValueError)):
                while acked < 1000:
                    client.publish("d/t", f"{acked + 1} {'x' * 1000}", 1, timeout_s=5)
                    acked += 1
            client.drop()
            self.assertGreater(acked, 100)
            self.assertEqual(node.process.wait(10), CANNOT_RUN)
            self.assertIn(str(node.directory), node.tail())
            node.start().wait_ready()
            client = back(node.mqtt_port)
            wait_until(lambda: len(client.messages) >= acked, 15, f"{acked} messages")
            time.sleep(0.2)
            numbers = [int(message[1].split()[0]) for message in client.messages]
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
            self.assertLessEqual(len(numbers), acked + 1)  # the last was not acknowledged
            client.close()


if __name__ == "__main__":
    harness.main()
