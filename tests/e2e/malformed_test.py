"""What the standard forbids, sent to a node that serves others meanwhile: the tables of tests/codec, over sockets."""
import collections
import itertools
import pathlib
import subprocess
import threading
import time
import unittest

import harness
import wire
from wire import Wire

ROWS_PROGRAM = pathlib.Path(harness.SHOAL).parent / "malformed_rows"
# A CONNACK of 3.1.1 has codes of its own; this is the only one that the tables ask for.
CODE_OF_3 = {0x84: 1}
AT_ONCE = 8
NUMBERS = itertools.count()  # of client ids

Row = collections.namedtuple("Row", "version phase bytes reason answer name")


def rows():
    lines = subprocess.run([str(ROWS_PROGRAM)], check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    for line in lines:
        version, phase, digits, reason, answer, name = line.split("\t")
        yield Row(int(version), phase, bytes.fromhex(digits), int(reason), answer, name)


def reason_of(packet):
    """(first byte, reason) of an answer; a DISCONNECT may leave the reason away."""
    first, body = packet
    return first, body[1] if first == 0x20 else body[0] if body else 0


def expected(row):
    if row.answer == "connack5":
        return [(0x20, row.reason)]
    if row.answer == "connack4":
        return [(0x20, CODE_OF_3[row.reason])]
    return [(0xE0, row.reason)] if row.answer == "disconnect" else []


def send(port, row):
    """A client that sent the row's bytes, after CONNACK if that is their place."""
    client = Wire(wire.tcp(port))
    if row.phase == "connected":
        reason = client.connect(f"malformed{next(NUMBERS)}", version=row.version)
        if reason != 0:
            raise AssertionError(f"CONNACK {reason:#x}")
    client.send(row.bytes)
    return client


def answers(client):
    """What comes until the broker closes."""
    found = []
    try:
        while True:
            found.append(reason_of(client.packet()))
    except wire.Closed:
        return found
    finally:
        client.close()


class Beside(threading.Thread):
    """Another client, whose every ping must be answered meanwhile."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.client = Wire(wire.tcp(port))
        self.client.connect("beside")
        self.pings, self.failure, self.stopping = 0, None, threading.Event()

    def run(self):
        try:
            while not self.stopping.wait(0.005):
                self.client.ping()
                self.pings += 1
        except (wire.Closed, OSError, AssertionError) as failure:
            self.failure = failure

    def stop(self):
        self.stopping.set()
        self.join()


class Malformed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster(1, options=["--log-level", "warning"])
        cls.node = cls.cluster.__enter__()[0]
        cls.rows = list(rows())

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def run_beside(self, work):
        beside = Beside(self.node.mqtt_port)
        beside.start()
        try:
            work()
        finally:
            beside.stop()
        self.assertIsNone(beside.failure)
        self.assertGreater(beside.pings, 0)

    def test_each_is_answered_by_its_reason_and_the_end(self):  # [MQTT5-4.13.1-1] [MQTT5-4.13.2-1] [MQTT311-4.8.0-1]
        refused = [row for row in self.rows if row.answer != "wait"]
        self.assertGreater(len(refused), 500)
        started, wrong, lock = time.monotonic(), [], threading.Lock()

        def work(share):
            for row in share:
                try:
                    got = answers(send(self.node.mqtt_port, row))
                except (OSError, AssertionError) as error:
                    got = repr(error)
                if got != expected(row):
                    with lock:
                        wrong.append(f"{row.name} ({row.bytes.hex()}): expected {expected(row)}, got {got}")

        def all_shares():
            threads = [threading.Thread(target=work, args=(refused[i::AT_ONCE],)) for i in range(AT_ONCE)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        self.run_beside(all_shares)
        self.assertEqual(wrong, [])
        print(f"{len(refused)} rows in {time.monotonic() - started:.1f} s")

    def test_what_is_never_finished_is_given_up_in_time(self):
        unfinished = [row for row in self.rows if row.answer == "wait"]
        with harness.Cluster(1, options=["--connect-timeout", "1s"]) as nodes:
            waiting = [(row, send(nodes[0].mqtt_port, row)) for row in unfinished]
            beside = Wire(wire.tcp(nodes[0].mqtt_port))
            beside.connect("beside")
            for row, client in waiting:
                with self.subTest(row=row.name):
                    if row.phase == "first":
                        self.assertEqual(answers(client), [])
                    else:
                        client.send(b"").sock.settimeout(0.2)  # it may take its time, as long as its keep-alive lasts
                        self.assertRaises(TimeoutError, client.packet)
                beside.ping()


if __name__ == "__main__":
    harness.main()
