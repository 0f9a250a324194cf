"""A backup as it is read from a node's admin API: one cut of all shards while publishers go on, then the retained messages."""
import http.client
import json
import socket
import unittest

import harness
from harness import wait_until
from loads import Load, leave_subscriber
from paho_client import Client

SHARDS = 8


class UnixConnection(http.client.HTTPConnection):
    """To the socket that is trusted without a token."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(node, method, path):
    """(status, body)"""
    connection = UnixConnection(node.directory / "ctl.sock")
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def error_of(body):
    return json.loads(body)["error"]


def begin(node):
    status, body = ask(node, "POST", "/v1/backup/begin")
    assert status == 200, body
    return json.loads(body)


def portion(node, backup, number):
    return ask(node, "GET", f"/v1/backup/portion?backup={backup['backup']}&number={number}")


def fields(data):
    """Of a protobuf message: (number, value), numbers as int and the rest as bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        elif tag & 7 == 1:
            yield tag >> 3, int.from_bytes(data[at:at + 8], "little")
            at += 8
        else:
            size = varint()
            yield tag >> 3, data[at:at + size]
            at += size


class Contents:
    """All that a backup has, in its order."""

    def __init__(self, node, backup):
        self.shards = {}  # of each: [(key, value)]
        self.places = {}  # of each: (index, term)
        self.retained = {}
        self.portions, self.bytes, done = 0, 0, set()
        is_end = False
        while not is_end:
            self.portions += 1
            status, body = portion(node, backup, self.portions)
            assert status == 200, (self.portions, body)
            assert portion(node, backup, self.portions) == (200, body), "asked again it is another"
            self.bytes += len(body)
            read = list(fields(body))
            one = dict(read)
            keys = [value for number, value in read if number == 4]
            values = [value for number, value in read if number == 5]
            assert len(keys) == len(values)
            shard = one.get(1, 0)
            if 2 in one:
                assert shard not in done, f"shard {shard} goes on behind its last portion"
                place = self.places.setdefault(shard, (one[2], one[3]))
                assert place == (one[2], one[3]), f"shard {shard} is of two places in its log"
                self.shards.setdefault(shard, []).extend(zip(keys, values))
            if one.get(6):
                done.add(shard)
            for each in (dict(fields(value)) for number, value in read if number == 7):
                assert done == set(range(SHARDS)), "a retained message among the shards"
                assert each[1] not in self.retained
                self.retained[each[1].decode()] = dict(fields(each[2]))
            is_end = bool(one.get(8))
        assert done == set(range(SHARDS)), done

    def keys(self, kind):
        """What is behind the kind in each key: format, slot, namespace, kind."""
        for shard in self.shards.values():
            for key, value in shard:
                behind = 4 + key[3]
                if key[behind:behind + 1] == kind:
                    yield key[behind + 1:], value

    def sessions(self):
        return sorted(key[1:].decode() for key, value in self.keys(b"S"))


def start_load(node, topic, qos):
    """By a durable client, so that messages at QoS 2 go by the outbox."""
    load = Load(node, topic, qos, lambda number: f"<{topic}:{number}>", clean=False, expiry_s=600)
    load.start()
    return load


class Reading(unittest.TestCase):
    def test_all_of_it_while_publishers_go_on(self):
        with harness.Cluster(3) as nodes:
            topics = {f"t/{i}": 1 + i % 2 for i in range(6)}
            for i, (topic, qos) in enumerate(topics.items()):
                leave_subscriber(nodes[i % 3], f"absent-{topic}", topic, qos)
            publisher = Client(nodes[1].mqtt_port, "retainer")
            kept = {f"kept/{i}": f"value {i}" for i in range(300)}
            for topic, payload in kept.items():
                publisher.publish(topic, payload, 1, retain=True)
            publisher.publish("kept/7", "", 1, retain=True)
            del kept["kept/7"]
            publisher.close()
            loads = [start_load(nodes[i % 3], topic, qos) for i, (topic, qos) in enumerate(topics.items())]
            wait_until(lambda: all(load.sent > 100 for load in loads), 60, "messages")
            for node in nodes:
                sent = {load.topic: load.sent for load in loads}
                backup = begin(node)
                self.assertEqual((backup["shards"], backup["replicas"]), (SHARDS, 3))
                self.assertEqual(sorted(each["name"] for each in backup["members"]), ["n1", "n2", "n3"])
                self.assertEqual(len(backup["seed"]), 16)
                contents = Contents(node, backup)
                self.assertEqual(ask(node, "POST", f"/v1/backup/end?backup={backup['backup']}")[0], 200)
                for shard, items in contents.shards.items():
                    keys = [key for key, value in items]
                    self.assertEqual(keys, sorted(set(keys)), f"shard {shard}")
                self.assertEqual(contents.sessions(),
                                 sorted([f"absent-{t}" for t in topics] + [f"load-{t}" for t in topics]))
                # Nobody has read them, so every one that was acknowledged is a body of some shard.
                bodies = b"".join(value for key, value in contents.keys(b"B"))
                for load in loads:
                    missing = [n for n in range(sent[load.topic]) if load.text(n).encode() not in bodies]
                    self.assertEqual(missing, [], f"{load.topic} of {sent[load.topic]}, from {node.name}")
                self.assertEqual({topic: record[7].decode() for topic, record in contents.retained.items()}, kept)
            had = [load.sent for load in loads]
            wait_until(lambda: all(load.sent > n + 20 for load, n in zip(loads, had)), 30, "they go on")
            for load in loads:
                load.stop()

    def test_two_nodes_may_each_have_one(self):
        with harness.Cluster(3) as nodes:
            leave_subscriber(nodes[0], "absent", "t", 1)
            first, second = begin(nodes[0]), begin(nodes[1])
            for node, backup in ((nodes[0], first), (nodes[1], second)):
                self.assertEqual(Contents(node, backup).sessions(), ["absent"])

    def test_what_is_asked_wrongly(self):
        with harness.Cluster(1) as (node,):
            self.assertEqual(node.get("/v1/backup/portion")[0], 401)
            for query in ("", "?backup=1", "?backup=xyz&number=1", "?backup=1&number=-1"):
                self.assertEqual(ask(node, "GET", f"/v1/backup/portion{query}")[0], 400, query)
            status, body = ask(node, "GET", "/v1/backup/portion?backup=00000000000000aa&number=1")
            self.assertEqual(status, 410)
            self.assertIn("there is no backup 00000000000000aa", error_of(body))
            backup = begin(node)
            status, body = ask(node, "POST", "/v1/backup/begin")
            self.assertEqual(status, 409)
            self.assertIn("another backup is read from this node", error_of(body))
            self.assertEqual(portion(node, backup, 2)[0], 410)
            self.assertEqual(portion(node, backup, 1)[0], 200)
            self.assertEqual(ask(node, "POST", f"/v1/backup/end?backup={backup['backup']}")[0], 200)
            self.assertEqual(portion(node, backup, 2)[0], 410)
            Contents(node, begin(node))

    def test_who_is_cut_off_from_the_majority_begins_none(self):
        with harness.Cluster(3) as nodes:
            for node in nodes[1:]:
                node.kill()
            wait_until(lambda: not nodes[0].is_ready(), 20, "it is not ready")
            status, body = ask(nodes[0], "POST", "/v1/backup/begin")
            self.assertEqual(status, 409)
            self.assertIn("this node is not ready", error_of(body))


class Losing(unittest.TestCase):
    def test_a_leader_that_is_killed_ends_it(self):
        with harness.Cluster(3) as nodes:
            leave_subscriber(nodes[0], "absent", "t", 1)
            backup = begin(nodes[0])
            self.assertEqual(portion(nodes[0], backup, 1)[0], 200)
            leaders = [shard["leader"] for shard in nodes[0].ctl("shards")["shards"]]
            victim = next(node for node in reversed(nodes) if node.name in leaders[1:] and node is not nodes[0])
            victim.kill()
            status, number = 200, 1
            while status == 200:
                number += 1
                status, body = portion(nodes[0], backup, number)
                self.assertLess(number, 100)
            self.assertEqual(status, 410)
            self.assertIn(f"(node {victim.name})", error_of(body))
            self.assertEqual(portion(nodes[0], backup, number), (status, body))
            wait_until(nodes[0].is_ready, 20, "the others go on")
            self.assertEqual(Contents(nodes[0], begin(nodes[0])).sessions(), ["absent"])


if __name__ == "__main__":
    harness.main()
