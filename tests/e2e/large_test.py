"""Payloads up to the protocol's limit, from one node to another: intact, without much memory, and others are served."""
import hashlib
import multiprocessing
import os
import pathlib
import threading
import time
import unittest

import harness
import wire
from harness import wait_until
from wire import Wire

REMAINING_LENGTH_MAX = 268_435_455
MIB = 1024 * 1024
BLOCK = os.urandom(MIB)
QUOTA_EXCEEDED, PACKET_TOO_LARGE = 0x97, 0x95


# -- memory --------------------------------------------------------------------------------------------------------

class Memory:
    """A process's resident memory: now, and its peak since this was made."""

    def __init__(self, pid):
        self.folder = pathlib.Path(f"/proc/{pid}")
        (self.folder / "clear_refs").write_text("5")  # the peak begins anew
        self.before = self.now()

    def read(self, key):
        line = next(line for line in (self.folder / "status").read_text().splitlines() if line.startswith(key))
        return int(line.split()[1]) * 1024

    def now(self):
        return self.read("VmRSS")

    def growth(self):
        return self.read("VmHWM") - self.before


# -- large messages, never whole in this process -------------------------------------------------------------------

def blocks_of(size):
    """`size` bytes, no two blocks alike."""
    for number in range(0, size, MIB):
        block = number.to_bytes(8, "big") + BLOCK[8:]
        yield block[:size - number]


def publish_large(client, topic, remaining_length):
    """A PUBLISH of QoS 1 with that Remaining Length; the digest of its payload, once it is acknowledged."""
    head = wire.string(topic) + b"\0\1\0"
    client.send(wire.fixed_header(0x32, remaining_length), head)
    digest = hashlib.sha256()
    for block in blocks_of(remaining_length - len(head)):
        client.sock.sendall(block)
        digest.update(block)
    client.expect(0x40)
    return digest.digest()


def receive_large(client, topic):
    """The next PUBLISH: (Remaining Length, digest of its payload); acknowledged."""
    first = client.take(1)[0]
    assert first == 0x32, hex(first)
    size = 0
    for shift in range(0, 28, 7):
        digit = client.take(1)[0]
        size |= (digit & 0x7F) << shift
        if digit < 0x80:
            break
    head = client.take(len(wire.string(topic)) + 3)
    left, digest = size - len(head), hashlib.sha256()
    while left > 0:
        if not client.buffer:
            client.more()
        part = client.take(min(left, len(client.buffer)))
        digest.update(part)
        left -= len(part)
    client.send(wire.packet(0x40, head[-3:-1]))
    return size, digest.digest()


# -- a ping-pong beside --------------------------------------------------------------------------------------------

def connected(port, client_id, subscription=None, qos=0, timeout_s=120):
    client = Wire(wire.tcp(port, timeout_s=timeout_s), timeout_s)
    assert client.connect(client_id) == 0
    if subscription:
        client.send(wire.subscribe_packet(subscription, qos))
        client.expect(0x90)
    return client


def echo(port):
    """Sends back each ping as a pong, until the connection ends."""
    client = connected(port, "echo", "ping")
    try:
        while True:
            client.send(wire.publish_packet("pong", client.expect(0x30)[-16:]))
    except (wire.Closed, OSError):
        pass


def play(port, stopping, results):
    """16 bytes to and fro; the time that each took."""
    client, times = connected(port, "play", "pong"), []
    while not stopping.is_set():
        started = time.monotonic()
        payload = len(times).to_bytes(16, "big")
        client.send(wire.publish_packet("ping", payload))
        assert client.expect(0x30)[-16:] == payload
        times.append(time.monotonic() - started)
        time.sleep(0.002)
    results.send(times)


class PingPong:
    """Two clients on two nodes, in processes of their own, so that the test's own work does not delay them."""

    def __init__(self, ports):
        self.stopping = multiprocessing.Event()
        self.results, theirs = multiprocessing.Pipe(duplex=False)
        self.processes = [multiprocessing.Process(target=echo, args=(ports[1],), daemon=True),
                          multiprocessing.Process(target=play, args=(ports[0], self.stopping, theirs), daemon=True)]
        self.processes[0].start()
        time.sleep(0.5)
        self.processes[1].start()

    def stop(self):
        """(number, p50, p99, worst), the times in milliseconds."""
        self.stopping.set()
        times = sorted(self.results.recv()) if self.results.poll(60) else []
        for process in self.processes:
            process.kill()
            process.join()
        if not times:
            raise AssertionError("the ping-pong did not go on")
        return (len(times), *(1000 * times[int(len(times) * share)] for share in (0.5, 0.99)), 1000 * times[-1])


def ping_pong_during(ports, work):
    game = PingPong(ports)
    try:
        time.sleep(0.5)
        work()
    finally:
        result = game.stop()
    return result


# -- the tests -----------------------------------------------------------------------------------------------------

class LargePayloads(unittest.TestCase):
    def test_the_largest_packet_crosses_nodes(self):
        with harness.Cluster(3, options=["--publish-timeout", "5m"]) as nodes:
            ports = [node.mqtt_port for node in nodes]
            subscriber = connected(ports[1], "large-sub", "large", 1)
            publisher = connected(ports[0], "large-pub")
            quiet = ping_pong_during(ports, lambda: time.sleep(3))
            memory = [Memory(node.process.pid) for node in nodes]
            sent, got = [], []

            def cross():
                receiving = threading.Thread(target=lambda: got.append(receive_large(subscriber, "large")))
                receiving.start()
                sent.append(publish_large(publisher, "large", REMAINING_LENGTH_MAX))
                receiving.join(120)

            started = time.monotonic()
            beside = ping_pong_during(ports, cross)
            print(f"\n256 MiB from node to node in {time.monotonic() - started:.1f} s; 16 bytes to and fro: "
                  "quiet n={} p50={:.2f} p99={:.2f} worst={:.1f} ms, ".format(*quiet) +
                  "beside it n={} p50={:.2f} p99={:.2f} worst={:.1f} ms".format(*beside))
            self.assertEqual(got, [(REMAINING_LENGTH_MAX, sent[0])])
            growth = [one.growth() for one in memory]
            print("peak growth of the nodes, MiB:", [g // MIB for g in growth])
            for grown in growth:
                self.assertLess(grown, 3 * REMAINING_LENGTH_MAX)
            self.assertLess(growth[2], REMAINING_LENGTH_MAX // 4, "a node that has nothing to do with it")
            for one in memory:
                wait_until(lambda one=one: one.now() - one.before < 64 * MIB, 60,
                           f"memory given back ({(one.now() - one.before) // MIB} MiB more)", 0.5)
            self.assertGreater(beside[0], 20)
            self.assertLess(beside[2], 5000)

    def test_one_byte_more_than_the_limit_is_refused(self):
        with harness.Cluster(1, options=["--max-packet-size", "1MiB"]) as nodes:
            client = connected(nodes[0].mqtt_port, "limited")
            self.assertIn(b"\x27\0\x10\0\0", client.connack)  # Maximum Packet Size
            publish_large(client, "t", MIB - 4)  # and four bytes of fixed header
            client.send(wire.fixed_header(0x32, MIB - 3))
            self.assertEqual(client.expect(0xE0)[0], PACKET_TOO_LARGE)

    def test_strangers_cannot_fill_the_memory(self):
        budget = 64 * MIB
        options = ["--max-arriving-bytes", "64MiB", "--max-packet-size", "64MiB"]
        with harness.Cluster(1, options=options) as nodes:
            node = nodes[0]
            beside = connected(node.mqtt_port, "beside")
            memory = Memory(node.process.pid)
            announced = wire.fixed_header(0x32, 63 * MIB)
            before_connect = [wire.tcp(node.mqtt_port, wire.fixed_header(0x10, 63 * MIB)) for _ in range(50)]
            for sock in before_connect:
                self.assertEqual(Wire(sock).rest(), b"")
            strangers = [connected(node.mqtt_port, f"stranger{i}") for i in range(100)]
            refused = 0
            for stranger in strangers:
                try:
                    stranger.send(announced, wire.string("t") + b"\0\1\0", BLOCK, BLOCK)
                except ConnectionError:
                    refused += 1
                beside.ping()
            grown = memory.growth()
            print(f"\n100 announcements of 63 MiB and 2 MiB of each: {grown // MIB} MiB more at the most, {refused} cut off")
            self.assertLess(grown, 2 * budget)
            reasons = [self.reason(stranger) for stranger in strangers]
            self.assertGreater(reasons.count(QUOTA_EXCEEDED), 10)
            for stranger in strangers:
                stranger.close()
            wait_until(lambda: memory.now() - memory.before < budget // 2, 60, "memory given back", 0.5)
            beside.send(wire.subscribe_packet("after", 1))
            beside.expect(0x90)
            publish_large(connected(node.mqtt_port, "after"), "after", 4 * MIB)
            self.assertEqual(receive_large(beside, "after")[0], 4 * MIB)

    def reason(self, stranger):
        """Of the DISCONNECT, None while it is still connected or where the end came too hard to tell."""
        stranger.sock.settimeout(0.05)
        try:
            return stranger.expect(0xE0)[0]
        except (wire.Closed, TimeoutError):
            return None


if __name__ == "__main__":
    harness.main()
