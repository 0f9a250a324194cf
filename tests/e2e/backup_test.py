"""A backup of nodes that serve, and a cluster that comes of it: every session, message and retained message as of the cut."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

import harness
import s3_client
import s3_server
from harness import wait_until
from paho_client import Client
from placement_test import Load, add_nodes, leave_subscriber

KEYS = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test/secret+key"}


def shoal(*words, env=None, status=0):
    """What `shoal ctl` said, by its exit status: standard output, or standard error."""
    done = subprocess.run([harness.SHOAL, "ctl", *words], capture_output=True, text=True, timeout=300,
                          env={**os.environ, **(env or {})})
    if done.returncode != status:
        raise AssertionError(f"ctl {words}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stderr if status else done.stdout


def backup(node, target, *words, env=None):
    return json.loads(shoal("--data-dir", str(node.directory), "--json", "backup", target, *words, env=env))


def start_restored(directory, target, *words, name="r1", env=None):
    """A node on the data directory that a restore makes."""
    node = harness.Node(directory, name)
    shoal("--data-dir", str(node.directory), "restore", target, *words, env=env)
    node.start().wait_ready(30)
    return node


@contextlib.contextmanager
def ended(*nodes):
    try:
        yield
    finally:
        for node in nodes:
            node.kill()


def fill(node, count, size):
    """Messages of some size for a session that is away: most of a backup."""
    leave_subscriber(node, "filled", "fill", 1)
    client = Client(node.mqtt_port, "filler")
    for number in range(count):
        client.publish("fill", os.urandom(size), 1, wait=number % 50 == 49)
    client.publish("fill", b"last", 1)
    client.close()


def payloads_of(node, name, least, timeout_s=30):
    """What is queued for a session that is there; at least so many, and nothing that comes late."""
    client = Client(node.mqtt_port, name, clean=False, expiry_s=600)
    assert client.session_present, f"the session of {name} is lost"
    wait_until(lambda: len(client.messages) >= least, timeout_s, f"{least} messages of {name}")
    time.sleep(0.5)
    client.close()
    return client.payloads()


def expect_cut(node, load, least, most):
    """All that was acknowledged before the backup, nothing that was sent after it, each once and in order."""
    numbers = [int(payload) for payload in payloads_of(node, f"absent-{load.topic}", least)]
    assert numbers == list(range(len(numbers))), f"{load.topic}: {numbers[:5]}... {len(numbers)}, {len(set(numbers))} different"
    assert least <= len(numbers) <= most + 1, f"{load.topic}: {len(numbers)} messages, not {least} to {most}"


class Restored(unittest.TestCase):
    """One life of a cluster: under load, two backups, damage, all nodes dead, another cluster of one and then three."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="shoal-backup-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.target = f"{self.directory}/backups"

    def subscribers(self, nodes):
        self.loads = [Load(nodes[2], f"t/{i}", qos) for i, qos in enumerate((1, 2, 1, 2))]
        for load in self.loads:
            leave_subscriber(nodes[0], f"absent-{load.topic}", load.topic, load.qos)
        for member in ("m1", "m2"):
            leave_subscriber(nodes[1], member, "$share/g/t/1", 2)
        leave_subscriber(nodes[0], "wills", "wills/#", 1)
        self.attached = Client(nodes[2].mqtt_port, "attached", clean=False, expiry_s=600,
                               will={"topic": "wills/attached", "payload": "gone", "qos": 1})
        self.attached.subscribe("for/attached", 2)
        publisher = Client(nodes[0].mqtt_port, "retainer")
        for number in range(200):
            publisher.publish(f"kept/{number}", f"value {number}", 1, retain=True)
        publisher.publish("kept/0", b"", 1, retain=True)
        publisher.close()
        fill(nodes[1], 2000, 4096)

    def test_as_of_the_cut(self):
        with harness.Cluster(3) as nodes:
            self.subscribers(nodes)
            for load in self.loads:
                load.start()
            wait_until(lambda: all(load.sent > 50 for load in self.loads), 30, "messages")
            before = [load.sent for load in self.loads]
            first = backup(nodes[0], self.target, "--name", "one")
            after = [load.sent + 1 for load in self.loads]
            self.assertGreater(first["new_bytes"], 8_000_000)
            self.assertGreater(first["bytes"], 8_000_000)
            second = backup(nodes[1], self.target)
            self.assertLess(second["new_bytes"], second["bytes"] / 2, second)
            wait_until(lambda: all(load.sent > had for load, had in zip(self.loads, after)), 30, "the load goes on")
            for load in self.loads:
                load.stop()
            self.check_verify(first, second)
            for node in nodes:
                node.kill()
            self.attached.paho.loop_stop()
            node = start_restored(self.directory, self.target, "--name", "one")
            with ended(node):
                self.check_restored(node, before, after)

    def check_verify(self, first, second):
        self.assertIn("is whole", shoal("backup", "verify", self.target))
        names = [each["name"] for each in json.loads(shoal("--json", "backup", "list", self.target))["backups"]]
        self.assertEqual(names, ["one", second["name"]])
        damaged = f"{self.directory}/damaged"
        shutil.copytree(self.target, damaged)
        chunk = max(pathlib.Path(damaged).glob("chunks/*/*"), key=lambda file: file.stat().st_size)
        data = bytearray(chunk.read_bytes())
        data[len(data) // 2] ^= 1
        chunk.write_bytes(data)
        said = shoal("backup", "verify", damaged, "--name", "one", status=1)
        self.assertIn(f"{chunk.name} of shard", said)
        self.assertIn("is damaged", said)
        other = f"{self.directory}/of-damaged"
        self.assertIn("is damaged", shoal("--data-dir", other, "restore", damaged, "--name", "one", status=1))
        self.assertFalse(os.path.exists(other), "nothing is left of a restore that failed")
        shoal("backup", "remove", damaged, "one")
        chunk.unlink(missing_ok=True)
        self.assertEqual(len(list(pathlib.Path(damaged).glob("backups/*"))), 1)

    def check_restored(self, node, before, after):
        for load, least, most in zip(self.loads, before, after):
            expect_cut(node, load, least, most)
        # Who comes first takes all that waits for the group.
        shared = [int(payload) for member, least in (("m1", before[1]), ("m2", 0))
                  for payload in payloads_of(node, member, least)]
        self.assertEqual(sorted(shared), list(range(len(shared))), "a shared subscription's messages, each at one member")
        self.assertEqual(len(payloads_of(node, "filled", 2001)), 2001)
        self.assertEqual(payloads_of(node, "wills", 1), [b"gone"], "who was connected at the cut is gone: its will")
        publisher = Client(node.mqtt_port, "publisher")
        publisher.publish("for/attached", b"new", 2)
        self.assertEqual(payloads_of(node, "attached", 1), [b"new"])
        retained = Client(node.mqtt_port, "reader")
        retained.subscribe("kept/#", 1)
        retained.wait(lambda: len(retained.messages) == 199, 10, "the retained messages")
        self.assertIn(("kept/7", b"value 7"), [(topic, payload) for topic, payload, *_ in retained.messages])
        publisher.publish("kept/7", b"newer", 1, retain=True)
        retained.expect("newer")
        retained.close()
        publisher.close()
        self.check_others_join(node)

    def check_others_join(self, node):
        nodes = [node]
        with contextlib.ExitStack() as stack:
            add_nodes(nodes, ["r2", "r3"])
            stack.enter_context(ended(*nodes[1:]))
            reader = Client(nodes[2].mqtt_port, "other-reader")
            reader.subscribe("kept/#", 1)
            reader.expect("newer")
            reader.close()
            leave_subscriber(nodes[1], "joined", "joined", 1)
            publisher = Client(nodes[2].mqtt_port, "other-publisher")
            publisher.publish("joined", b"hello", 1)
            publisher.close()
            self.assertEqual(payloads_of(nodes[0], "joined", 1), [b"hello"])
            self.assertTrue(nodes[0].stop() == 0)
            node.start().wait_ready(30)


class Refused(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="shoal-backup-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.target = f"{self.directory}/backups"

    def test_what_cannot_be_is_said(self):
        with harness.Cluster(1) as (node,):
            data = str(node.directory)
            self.assertIn("there is no backup", shoal("backup", "verify", self.target, status=1))
            self.assertIn("target", shoal("backup", status=2))
            self.assertIn("--name", shoal("backup", self.target, "--name", "../x", status=2))
            self.assertIn("no node answers", shoal("--data-dir", "/nonexistent", "backup", self.target, status=1))
            self.assertIn("no keys in the environment", shoal("backup", "s3://bucket", status=1,
                                                              env={name: "" for name in KEYS}))
            backup(node, self.target, "--name", "one")
            self.assertIn("already", shoal("--data-dir", data, "backup", self.target, "--name", "one", status=1))
            self.assertIn("is not empty", shoal("--data-dir", data, "restore", self.target, status=1))
            node.wait_ready()

    def test_a_restore_that_was_killed_starts_no_node(self):
        with harness.Cluster(1) as (node,):
            backup(node, self.target)
        node = harness.Node(self.directory, "r1")
        node.directory.mkdir()
        (node.directory / "restoring").write_text("one\n")
        node.start()
        self.assertEqual(node.process.wait(10), 1)
        self.assertIn("a restore into it was cut short", node.tail())
        self.assertIn("is not empty", shoal("--data-dir", str(node.directory), "restore", self.target, status=1))


class ObjectStorage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if s3_server.build() is None:
            raise unittest.SkipTest("no Go to build the S3 server with")

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="shoal-backup-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def test_backup_verify_restore_remove(self):
        with s3_server.running(KEYS, self.directory, tls=True) as (url, authority):
            there = ["s3://backups/of/this cluster", "--s3-endpoint", url, "--s3-ca", authority]
            with harness.Cluster(3) as nodes:
                fill(nodes[0], 500, 4096)
                first = backup(nodes[0], *there, "--name", "one", env=KEYS)
                second = backup(nodes[1], *there, "--name", "two", env=KEYS)
                self.assertLess(second["new_bytes"], first["bytes"] / 2)
            self.assertIn("is whole", shoal("backup", "verify", *there, env=KEYS))
            node = start_restored(self.directory, *there, env=KEYS)
            with ended(node):
                self.assertEqual(len(payloads_of(node, "filled", 501)), 501)
            shoal("backup", "remove", there[0], "one", *there[1:], env=KEYS)
            self.assertIn("is whole", shoal("backup", "verify", *there, "--name", "two", env=KEYS))
            self.assertIn("there is no backup", shoal("backup", "verify", *there, "--name", "one", env=KEYS, status=1))

    def test_many_objects_come_in_portions(self):
        """More chunks than one list has."""
        with s3_server.running(KEYS, self.directory) as (url, _):
            there = ["s3://backups", "--s3-endpoint", url]
            with harness.Cluster(1) as (node,):
                made = backup(node, *there, env=KEYS)
                for number in range(1100):
                    s3_client.put(url, KEYS, f"backups/chunks/00/left-{number}", b"x")
                again = backup(node, *there, "--name", "again", env=KEYS)
                self.assertEqual(again["chunks"], made["chunks"])
            shoal("backup", "remove", there[0], "again", *there[1:], env=KEYS)
            self.assertIn("is whole", shoal("backup", "verify", *there, env=KEYS))

    def test_what_is_wrong_is_said(self):
        with s3_server.running(KEYS, self.directory, tls=True) as (url, authority):
            with harness.Cluster(1) as (node,):
                def refused(target, *words, env):
                    return shoal("--data-dir", str(node.directory), "backup", target, "--s3-endpoint", url, *words, env=env, status=1)
                wrong = {**KEYS, "AWS_SECRET_ACCESS_KEY": "another"}
                self.assertIn("SignatureDoesNotMatch", refused("s3://backups", "--s3-ca", authority, env=wrong))
                self.assertIn("NoSuchBucket", refused("s3://other", "--s3-ca", authority, env=KEYS))
                self.assertIn("certificate verify failed", refused("s3://backups", env=KEYS))
                self.assertIn("localhost", refused("s3://backups", env=KEYS))


if __name__ == "__main__":
    harness.main()
