"""Large payloads for durable sessions: they go to their shard in pieces, and whatever happens between two of them, they
come once and whole."""
import hashlib
import os
import threading
import time
import unittest

import harness
import wire
from harness import wait_until
from paho_client import Client

MIB = 1024 * 1024
SIZE = 10 * MIB
# So long after the last byte of a publish its shard's leader is killed: some pieces are there and some are not.
MIDWAY_S = 0.04


def shards_of(node):
    return {shard["shard"]: shard for shard in node.ctl("shards")["shards"]}


def sessions_of(node):
    return {number: shard["sessions"] or 0 for number, shard in shards_of(node).items()}


def leader_of(nodes, client_id, port):
    """Who leads the shard of this client, whose durable session begins here."""
    before = sessions_of(nodes[0])
    client = wire.Wire(wire.tcp(port))
    client.send(wire.connect_packet(client_id, expiry_s=3600))
    client.expect(0x20)
    client.close()

    def found():
        return [number for number, count in sessions_of(nodes[0]).items() if count > before[number]]
    return shards_of(nodes[0])[wait_until(found, 10, "the session")[0]]["leader"]


def client_led_by(nodes, leader, kind, port):
    for number in range(50):
        client_id = f"{kind}-{number}"
        if leader_of(nodes, client_id, port) == leader.name:
            return client_id
    raise AssertionError(f"no client whose shard {leader.name} leads")


def publish(port, client_id, payload, qos, victim):
    """Until it is acknowledged, over as many connections as it takes; `victim` is killed midway. True: so it was."""
    tries, midway = 0, threading.Event()
    acknowledged = threading.Event()

    def kill():
        if not acknowledged.is_set():
            midway.set()
        victim.kill()
    while True:
        try:
            client = wire.Wire(wire.tcp(port, timeout_s=20), 20)
            assert client.connect(client_id, clean=False, expiry_s=3600) == 0
            client.send(wire.publish_packet("large/x", payload, qos, 7, dup=tries > 0))
            tries += 1
            if tries == 1:
                killer = threading.Timer(MIDWAY_S, kill)
                killer.start()
            client.expect(0x40 if qos == 1 else 0x50)
            acknowledged.set()
            if qos == 2:
                client.send(wire.pubrel_packet(7)).expect(0x70)
            killer.join()
            return midway.is_set()
        except (wire.Closed, OSError):
            time.sleep(0.1)


class LargePayloadsOfDurableSessions(unittest.TestCase):
    def check(self, qos):
        with harness.Cluster(3) as nodes:
            victim, origin, other = nodes
            watcher = Client(other.mqtt_port, client_led_by(nodes, victim, "watcher", other.mqtt_port), clean=False,
                             expiry_s=3600)
            watcher.subscribe("large/#", 2)
            publisher = client_led_by(nodes, victim, "publisher", origin.mqtt_port)
            payload = os.urandom(SIZE)
            self.assertTrue(publish(origin.mqtt_port, publisher, payload, qos, victim), "killed too late")
            wait_until(lambda: watcher.messages, 60, "the message")
            time.sleep(1)
            got = [(each[2], hashlib.sha256(each[1]).digest()) for each in watcher.messages]
            self.assertEqual(got, [(qos, hashlib.sha256(payload).digest())])
            wait_until(lambda: all(not shard["bytes"] for shard in shards_of(origin).values()), 30,
                       "nothing of it is left in the shards")

    def test_qos_1_while_the_leader_is_killed(self):
        self.check(1)

    def test_qos_2_while_the_leader_is_killed(self):
        self.check(2)


if __name__ == "__main__":
    harness.main()
