"""Too much at once: floods that subscribers do not keep up with, and a storm of clients beside those that are there."""
import json
import socket
import struct
import subprocess
import time
import unittest

import harness
from harness import SHOAL, Cluster, wait_until
from paho_client import Client

MIB = 1024 * 1024


def text(value):
    return struct.pack(">H", len(value)) + value.encode()


def packet(first_byte, body):
    length, size = b"", len(body)
    while True:
        size, low = size >> 7, size & 0x7F
        length += bytes([low | (0x80 if size else 0)])
        if not size:
            return bytes([first_byte]) + length + body


def receive(client, size):
    answer = b""
    while len(answer) < size:
        answer += client.recv(size - len(answer))
    return answer


def connect(port, client_id):
    """A 3.1.1 client."""
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(packet(0x10, text("MQTT") + b"\x04\x02\x00\x00" + text(client_id)))
    assert receive(client, 4) == b"\x20\x02\x00\x00"
    return client


def deaf_subscriber(port, topic, qos):
    """Subscribes and then reads no more."""
    client = connect(port, "deaf")
    client.sendall(packet(0x82, b"\x00\x01" + text(topic) + bytes([qos])))
    assert receive(client, 5) == b"\x90\x03\x00\x01" + bytes([qos])
    return client


def bench(port, *words):
    return subprocess.Popen([SHOAL, "bench", *words, "-e", f"127.0.0.1:{port}", "--json", "--quiet"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result_of(process):
    out, error = process.communicate(timeout=300)
    if not out:
        raise AssertionError(f"shoal bench: status {process.returncode}: {error}")
    return json.loads(out)


def rss_bytes(node):
    with open(f"/proc/{node.process.pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


class Overload(unittest.TestCase):
    def test_qos_0_that_is_not_read_is_dropped_and_counted(self):
        with Cluster(1) as (node,):
            with deaf_subscriber(node.mqtt_port, "flood", 0):
                before = rss_bytes(node)
                flood = "x" * 1000
                publisher = subprocess.Popen([SHOAL, "pub", "-p", str(node.mqtt_port), "-t", "flood", "-l"],
                                             stdin=subprocess.PIPE, text=True)
                for _ in range(40):  # MiB
                    publisher.stdin.write((flood + "\n") * 1049)
                publisher.stdin.close()
                self.assertEqual(publisher.wait(120), 0)  # it was not slowed
                wait_until(lambda: node.metric("shoal_messages_dropped_total", reason="output_full") > 0, 30,
                           "drops are counted")
                # One output's limit of 4 MiB, what the kernel's buffers hold is not ours.
                self.assertLess(rss_bytes(node) - before, 16 * MIB)

    def test_qos_1_that_is_not_read_slows_its_publisher(self):
        with Cluster(1, options=["--max-queued", "1000"]) as (node,):
            with deaf_subscriber(node.mqtt_port, "flood", 1), connect(node.mqtt_port, "publisher") as publisher:
                before = rss_bytes(node)
                for number in range(1, 3001):
                    publisher.sendall(packet(0x32, text("flood") + struct.pack(">H", number) + b"x" * 100))
                acknowledged = 0
                publisher.settimeout(10)
                with self.assertRaises(TimeoutError):
                    while acknowledged < 3000:
                        acknowledged += len(publisher.recv(65536)) / 4
                # What was sent to the subscriber and what its queue holds; the rest has to wait.
                self.assertGreaterEqual(acknowledged, 1000)
                self.assertLess(acknowledged, 1500)
                self.assertLess(node.metric("shoal_queued_messages"), 1500)
                self.assertEqual(node.metric("shoal_messages_dropped_total"), 0)
                self.assertLess(rss_bytes(node) - before, 16 * MIB)

    def test_a_worker_that_does_not_acknowledge_costs_its_publishers_time_alone(self):
        options = ["--slow-timeout", "2s", "--publish-timeout", "4s"]
        with Cluster(3, options=options) as nodes, connect(nodes[0].mqtt_port, "boss") as boss:
            def send_jobs(*numbers):
                for number in numbers:
                    boss.sendall(packet(0x32, text("jobs") + struct.pack(">H", number)))

            with deaf_subscriber(nodes[1].mqtt_port, "$share/workers/jobs", 1):
                send_jobs(1)
                boss.settimeout(6)
                with self.assertRaises(TimeoutError):  # and it is still there
                    boss.recv(1)
                worker = Client(nodes[2].mqtt_port, "worker")
                worker.subscribe("$share/workers/jobs", 1)
                self.assertEqual(receive(boss, 4), b"\x40\x02\x00\x01")
                self.assertEqual(nodes[1].metric("shoal_shared_handed_on_total"), 1)
                boss.settimeout(1)
                send_jobs(*range(2, 22))
                receive(boss, 20 * 4)
                self.assertEqual(len(worker.messages), 21)
                worker.close()

    def test_half_a_connect_of_many_strangers_takes_nothing_from_the_others(self):
        options = ["--max-arriving-bytes", "1MiB", "--max-packet-size", "1MiB", "--max-connect-size", "64KiB"]
        with Cluster(1, options=options) as (node,), connect(node.mqtt_port, "known") as known:
            half = packet(0x10, text("MQTT") + b"\x05\x02\x00\x3c\x00" + bytes(60_000))[:50_000]
            strangers = [socket.create_connection(("127.0.0.1", node.mqtt_port), timeout=5) for _ in range(40)]
            for each in strangers:
                each.sendall(half)
            wait_until(lambda: node.metric("shoal_connects_refused_total") >= 38, 5, "there is room for two")
            large = packet(0x32, text("t") + b"\x00\x01" + bytes(900_000))
            for at in range(0, len(large), 100_000):
                known.sendall(large[at:at + 100_000])
                time.sleep(0.05)
            self.assertEqual(receive(known, 4), b"\x40\x02\x00\x01")
            connect(node.mqtt_port, "newcomer").close()
            for each in strangers:
                each.close()

    def test_a_connect_above_its_limit_is_refused(self):
        with Cluster(1, options=["--max-connect-size", "2KiB"]) as (node,):
            for size, answer in ((2000, 0), (2100, 0x95)):
                body = text("MQTT") + b"\x05\x82\x00\x3c\x00" + text("c") + text("u" * (size - 20))
                client = socket.create_connection(("127.0.0.1", node.mqtt_port), timeout=5)
                client.sendall(packet(0x10, body))
                self.assertEqual(receive(client, 4)[3], answer)
                client.close()

    def test_a_storm_of_clients_does_not_hold_up_those_that_are_there(self):
        with Cluster(1) as (node,):
            steady = bench(node.mqtt_port, "pairs", "--publishers", "10", "--rate", "500", "--duration", "8s")
            time.sleep(3)
            storm = result_of(bench(node.mqtt_port, "idle", "--clients", "4000", "--connecting", "4000",
                                    "--duration", "1s"))
            there = result_of(steady)
            self.assertEqual(storm["connected"], 4000)
            self.assertEqual((there["lost"], there["duplicated"], there["out_of_order"]), (0, 0, 0))
            # Clients that came at once wait for each other; who is there waits for a turn's share of them.
            self.assertLess(there["latency_us"]["p99"], storm["latency_us"]["p99"])


harness.main()
