"""Three real nodes: what one broker does, they do together. Publisher and subscriber sit on different nodes."""
import itertools
import os
import signal
import subprocess
import threading
import time
import unittest

import harness
from harness import wait_until
from paho_client import Client


class AcrossNodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster(3)
        cls.nodes = cls.cluster.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def setUp(self):
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.close()

    def client(self, node, *args, **kwargs):
        client = Client(self.nodes[node].mqtt_port, *args, **kwargs)
        self.clients.append(client)
        return client

    def test_every_version_and_qos_between_every_pair(self):
        for version, qos in itertools.product(("3.1", "3.1.1", "5.0"), (0, 1, 2)):
            with self.subTest(version=version, qos=qos):
                topic = f"pairs/{version}/{qos}"
                receivers = [self.client(n, f"r{n}-{version}-{qos}", version) for n in range(3)]
                for receiver in receivers:
                    self.assertEqual(receiver.subscribe(topic, qos), [qos])
                for n in range(3):
                    sender = self.client(n, f"s{n}-{version}-{qos}", version)
                    sender.publish(topic, f"from {n}", qos)
                for receiver in receivers:
                    for n in range(3):
                        self.assertEqual(receiver.expect(f"from {n}")[2], qos)
                    self.assertEqual(len(receiver.messages), 3)

    def test_suback_means_subscribed_everywhere(self):
        sender = self.client(1, "eager")
        for i in range(30):
            receiver = self.client(0, f"late{i}")
            receiver.subscribe(f"eager/{i}", 1)
            sender.publish(f"eager/{i}", str(i), 1)
            receiver.expect(str(i))

    def test_order_is_kept(self):
        receiver = self.client(2, "ordered")
        receiver.subscribe("ordered/#", 2)
        sender = self.client(0, "orderly")
        for i in range(500):
            sender.publish(f"ordered/{i % 3}", str(i).encode(), i % 3, wait=False)
        receiver.wait(lambda: len(receiver.messages) >= 500, 20, "500 messages")
        for topic in range(3):
            numbers = [int(m[1]) for m in receiver.messages if m[0] == f"ordered/{topic}"]
            self.assertEqual(numbers, sorted(numbers))

    def test_take_over_on_another_node(self):
        first = harness.raw_connect(self.nodes[0].mqtt_port, "same")
        second = self.client(1, "same")
        self.assertEqual(harness.raw_disconnect_reason(first), 0x8E)
        second.subscribe("same/t", 1)
        self.client(2, "other").publish("same/t", "hello", 1)
        second.expect("hello")

    def test_retained_reaches_every_node(self):
        self.client(0, "keeper").publish("kept/a", "v1", 1, retain=True)
        self.client(1, "keeper2").publish("kept/a", "v2", 1, retain=True)
        for n in range(3):
            reader = self.client(n, f"reader{n}")
            reader.subscribe("kept/#", 1)
            message = reader.expect("v2")
            self.assertTrue(message[3])
            self.assertEqual(len(reader.messages), 1)
        self.client(2, "cleaner").publish("kept/a", "", 1, retain=True)
        late = self.client(0, "late-reader")
        late.subscribe("kept/#", 1)
        time.sleep(0.5)
        self.assertEqual(late.messages, [])

    def test_shared_subscription_picks_one_member(self):
        members = [self.client(n % 3, f"member{n}") for n in range(6)]
        for member in members:
            member.subscribe("$share/group/jobs/#", 1)
        sender = self.client(0, "boss")
        for i in range(120):
            sender.publish(f"jobs/{i}", str(i), 1)
        wait_until(lambda: sum(len(m.messages) for m in members) >= 120, 10, "every job taken")
        time.sleep(0.3)
        taken = sorted(int(m[1]) for member in members for m in member.messages)
        self.assertEqual(taken, list(range(120)))
        for member in members:
            self.assertGreater(len(member.messages), 0)

    def test_will_crosses_nodes(self):
        watcher = self.client(2, "watcher")
        watcher.subscribe("status/+", 1)
        device = self.client(0, "device", will={"topic": "status/device", "payload": "gone", "qos": 1})
        device.drop()
        watcher.expect("gone")

    def test_session_is_resumed_on_its_node(self):
        first = self.client(0, "sleeper", clean=False, expiry_s=300)
        first.subscribe("sleep/#", 1)
        first.drop()
        sender = self.client(1, "waker")
        for i in range(50):
            sender.publish("sleep/x", str(i), 1)
        again = self.client(0, "sleeper", clean=False, expiry_s=300)
        self.assertTrue(again.session_present)
        again.wait(lambda: len(again.messages) >= 50, 10, "50 queued messages")
        self.assertEqual([int(m[1]) for m in again.messages], list(range(50)))

    def test_mosquitto_clients(self):
        port = [node.mqtt_port for node in self.nodes]
        for version in ("mqttv31", "mqttv311", "mqttv5"):
            with self.subTest(version=version):
                receiver = subprocess.Popen(
                    ["stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", str(port[2]), "-V", version, "-q", "2", "-t",
                     f"mosq/{version}/#", "-C", "3", "-W", "15", "-d"], stdout=subprocess.PIPE, text=True)
                for line in receiver.stdout:
                    if "Subscribed" in line or "SUBACK" in line:
                        break
                for qos in "012":
                    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port[0]), "-V", version, "-q", qos,
                                    "-t", f"mosq/{version}/{qos}", "-m", f"hello {qos}"], check=True, timeout=10)
                rest = receiver.stdout.read()
                self.assertEqual(receiver.wait(20), 0)
                for qos in "012":
                    self.assertIn(f"hello {qos}", rest)

    def test_own_clients(self):
        receiver = subprocess.Popen(
            [harness.SHOAL, "sub", "-h", "127.0.0.1", "-p", str(self.nodes[1].mqtt_port), "-t", "own/#", "-q", "1",
             "-v", "-C", "2", "-W", "15"], stdout=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: self.nodes[0].metric("shoal_routes") > 0, 5, "a route")
            time.sleep(0.5)
            for text in ("one", "two"):
                subprocess.run([harness.SHOAL, "pub", "-h", "127.0.0.1", "-p", str(self.nodes[0].mqtt_port), "-t",
                                "own/x", "-q", "1", "-m", text], check=True, timeout=10)
            output, _ = receiver.communicate(timeout=20)
        finally:
            receiver.kill()
        self.assertEqual(output.splitlines(), ["own/x one", "own/x two"])

    def test_large_payload_crosses(self):
        receiver = self.client(1, "large-receiver")
        receiver.subscribe("large", 1)
        payload = os.urandom(1024 * 1024) * 64
        self.client(0, "large-sender").publish("large", payload, 1, timeout_s=60)
        receiver.wait(lambda: receiver.messages, 60, "64 MiB")
        self.assertEqual(receiver.messages[0][1], payload)

    def test_members_table(self):
        members = self.nodes[0].ctl("members")["members"]
        self.assertEqual(sorted(m["name"] for m in members), ["n1", "n2", "n3"])
        text = self.nodes[1].ctl_text("members")
        for name in ("n1", "n2", "n3"):
            self.assertIn(name, text)

    def test_lists_of_subscriptions_and_retained_messages(self):
        self.client(0, "lister").subscribe("listed/+/x", 1)
        self.client(1, "listed-keeper").publish("listed/a", "12345", 1, retain=True)
        listed = self.nodes[0].ctl("subscriptions", "lister")
        self.assertEqual([(row["client"], row["filter"], row["qos"]) for row in listed["subscriptions"]],
                         [("lister", "listed/+/x", 1)])
        self.assertFalse(listed["truncated"])
        self.assertEqual(self.nodes[1].ctl("subscriptions", "lister")["subscriptions"], [])
        self.assertIn("listed/+/x", self.nodes[0].ctl_text("subscriptions"))
        for node in self.nodes:
            kept = node.ctl("retained", "listed/#")["retained"]
            self.assertEqual([(row["topic"], row["qos"], row["bytes"]) for row in kept], [("listed/a", 1, 5)])
            self.assertIn("listed/a", node.ctl_text("retained"))
        for wrong in ("listed/#/x", "$share/g/listed"):
            self.assertIn("filter", self.nodes[0].ctl_text("retained", wrong, check=False))

    def test_an_absent_session_is_in_one_nodes_list(self):
        Client(self.nodes[0].mqtt_port, "away", expiry_s=600).close()

        def rows():
            return [row for node in self.nodes for row in node.ctl("sessions")["sessions"] if row["client"] == "away"]
        wait_until(lambda: [row["connected"] for row in rows()] == [False], 10, "one absent session")
        self.assertTrue(500 < rows()[0]["expires_s"] <= 600, rows())

    def test_kick_and_sessions(self):
        client = harness.raw_connect(self.nodes[0].mqtt_port, "kicked")
        listed = self.nodes[0].ctl_text("sessions")
        self.assertIn("kicked", listed)
        self.nodes[0].ctl_text("kick", "kicked")
        self.assertEqual(harness.raw_disconnect_reason(client), 0x98)
        self.assertIn("no such client", self.nodes[0].ctl_text("kick", "nobody", check=False))


class Load(threading.Thread):
    """A publisher that goes on through failures: each number at QoS 1 until it is acknowledged."""

    def __init__(self, port, topic):
        super().__init__(daemon=True)
        self.port, self.topic = port, topic
        self.acked, self.stopping = [], threading.Event()

    def run(self):
        client, number = None, 0
        while not self.stopping.is_set():
            try:
                if client is None or client.closed.is_set():
                    client = Client(self.port, f"load-{self.topic.replace('/', '-')}", connect_timeout_s=3)
                client.publish(self.topic, str(number), 1, timeout_s=4)
                self.acked.append(number)
                number += 1
            except (AssertionError, OSError, ValueError):
                if client is not None:
                    client.drop()
                client = None
                time.sleep(0.1)
        if client is not None:
            client.close()


class Failures(unittest.TestCase):
    def test_kill_under_load_behind_the_balancer(self):
        with harness.Cluster(3) as nodes, harness.balancer(nodes) as port:
            survivor = Client(nodes[0].mqtt_port, "survivor")
            survivor.subscribe("load/#", 1)
            loads = [Load(port, f"load/{i}") for i in range(6)]
            for load in loads:
                load.start()
            wait_until(lambda: all(len(load.acked) > 20 for load in loads), 20, "all publishers run")
            for victim in (nodes[2], nodes[1]):
                victim.kill()
                before = [len(load.acked) for load in loads]
                wait_until(lambda: all(len(load.acked) > b + 20 for load, b in zip(loads, before)), 20,
                           f"publishers go on without {victim.name}")
                victim.start()
                victim.wait_ready()
            for load in loads:
                load.stopping.set()
            for load in loads:
                load.join(10)
            acknowledged = {(load.topic, n) for load in loads for n in load.acked}
            self.assertGreater(len(acknowledged), 200)
            wait_until(lambda: acknowledged <= {(m[0], int(m[1])) for m in list(survivor.messages)}, 10,
                       "every acknowledged message at the surviving subscriber")
            self.assertFalse(survivor.closed.is_set())
            survivor.close()

    def test_frozen_node_is_given_up_and_comes_back(self):
        with harness.Cluster(3) as nodes:
            subscriber = Client(nodes[0].mqtt_port, "steady")
            subscriber.subscribe("f/#", 1)
            behind = Client(nodes[2].mqtt_port, "behind")
            behind.subscribe("f/#", 1)
            publisher = Client(nodes[1].mqtt_port, "pub")
            publisher.publish("f/0", "before", 1)
            behind.expect("before")
            nodes[2].freeze()
            started = time.monotonic()
            publisher.publish("f/1", "during", 1, timeout_s=5)
            self.assertLess(time.monotonic() - started, 3.0)
            subscriber.expect("during")
            wait_until(lambda: nodes[0].is_ready() and nodes[1].is_ready(), 5, "the others serve")
            nodes[2].signal(signal.SIGCONT)
            # Its client missed a message: it must not stay connected as if nothing had been.
            behind.wait(behind.closed.is_set, 10, "the frozen node's client closed")
            nodes[2].wait_ready(10)
            back = Client(nodes[2].mqtt_port, "behind")
            back.subscribe("f/#", 1)
            publisher.publish("f/2", "after", 1)
            back.expect("after")
            for client in (subscriber, publisher, back):
                client.close()

    def test_a_minority_acknowledges_nothing(self):
        with harness.Cluster(3) as nodes:
            publisher = Client(nodes[0].mqtt_port, "alone")
            listener = Client(nodes[0].mqtt_port, "listener")
            listener.subscribe("m/#", 1)
            for node in nodes[1:]:
                node.signal(signal.SIGSTOP)
            wait_until(lambda: not nodes[0].is_ready(), 5, "the rest is not ready")
            publisher.publish("m/0", "volatile", 0)
            listener.expect("volatile")
            with self.assertRaises(AssertionError):
                publisher.publish("m/1", "durable", 1, timeout_s=3)
            for node in nodes[1:]:
                node.signal(signal.SIGCONT)
            for node in nodes:
                node.wait_ready(15)

    def test_restart_in_any_order(self):
        with harness.Cluster(3) as nodes:
            for order in ((0, 1, 2), (2, 0, 1)):
                for node in nodes:
                    node.kill()
                for index in order:
                    nodes[index].start()
                for node in nodes:
                    node.wait_ready(20)
            receiver = Client(nodes[2].mqtt_port, "r")
            receiver.subscribe("x", 1)
            sender = Client(nodes[0].mqtt_port, "s")
            sender.publish("x", "crossed", 1)
            receiver.expect("crossed")
            receiver.close()
            sender.close()

    def test_sigterm_says_goodbye_and_is_quick(self):
        with harness.Cluster(3) as nodes:
            client = harness.raw_connect(nodes[1].mqtt_port, "leaver")
            started = time.monotonic()
            self.assertEqual(nodes[1].stop(8), 0)
            self.assertLess(time.monotonic() - started, 8)
            self.assertEqual(harness.raw_disconnect_reason(client), 0x8B)


if __name__ == "__main__":
    harness.main()
