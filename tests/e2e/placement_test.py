"""Nodes that come and go: replicas and leaderships move until the load is level, before a node leaves, and when one is dead
for long; nothing that was acknowledged is lost, doubled or out of order meanwhile."""
import subprocess
import time
import unittest

import harness
from harness import wait_until
from loads import Load, expect_all, leave_subscriber
from paho_client import Client

SHARDS = 8
KNOWN_S = 5  # so long what is not known for a moment is waited for


def placements(node):
    return node.ctl("rebalance")


def replicas(node):
    """Of each node's name, how many replicas it has. While a leadership moves, nobody tells of that shard for a moment."""
    counts, end = {}, time.monotonic() + KNOWN_S
    shards = placements(node)["shards"]
    while not all(shard["replicas"] for shard in shards) and time.monotonic() < end:
        time.sleep(0.1)
        shards = placements(node)["shards"]
    for shard in shards:
        for name in filter(None, shard["replicas"].split(",")):
            counts[name] = counts.get(name, 0) + 1
    return counts


def leaders(node):
    return [shard["leader"] for shard in placements(node)["shards"]]


def wait_level(node, count, timeout_s=90):
    """Until so many nodes have replicas, and all where they should be."""
    def is_level():
        return placements(node)["level"] and len(replicas(node)) == count
    wait_until(is_level, timeout_s, f"level with {count} nodes: {placements(node)}", every_s=0.5)


def add_nodes(nodes, names, options=()):
    seeds = [f"127.0.0.1:{node.peer_port}" for node in nodes[:3]]
    for name in names:
        node = harness.Node(nodes[0].directory.parent, name, join=seeds, expect=3, options=options)
        nodes.append(node)  # ended with the others
        node.start()
    for node in nodes[-len(names):]:
        node.wait_ready(30)


class Growing(unittest.TestCase):
    def test_two_come_two_of_the_first_go(self):
        with harness.Cluster(3) as nodes:
            topics = {f"t/{i}": qos for i, qos in enumerate((1, 2, 1, 2))}
            for topic, qos in topics.items():
                leave_subscriber(nodes[0], f"absent-{topic}", topic, qos)
            live = Client(nodes[2].mqtt_port, "live", clean=False, expiry_s=600)
            live.subscribe("t/0", 1)
            loads = [Load(nodes[2], topic, qos) for topic, qos in topics.items()]
            for load in loads:
                load.start()
            wait_until(lambda: all(load.sent > 50 for load in loads), 30, "messages")
            add_nodes(nodes, ["n4", "n5"])
            said = subprocess.run([harness.SHOAL, "ctl", "--data-dir", str(nodes[1].directory), "rebalance", "--watch"],
                                  capture_output=True, text=True, timeout=120)
            self.assertEqual(said.returncode, 0, said.stderr)
            self.assertEqual(said.stdout.splitlines()[-1], "level")
            counts = replicas(nodes[1])
            self.assertEqual(sum(counts.values()), 3 * SHARDS)
            self.assertEqual(len(counts), 5)
            self.assertLessEqual(max(counts.values()) - min(counts.values()), 1, counts)
            wait_until(lambda: len(set(leaders(nodes[1]))) == 5, 60, f"all five lead: {leaders(nodes[1])}", every_s=0.5)
            for leaving in nodes[:2]:
                told = leaving.ctl_text("leave")
                self.assertIn("replicas are to move to others", told)
                self.assertIn("still here", told)
                self.assertIn("has left the cluster", told)
                leaving.stop()
            wait_level(nodes[2], 3, 30)
            self.assertEqual(replicas(nodes[2]), {"n3": SHARDS, "n4": SHARDS, "n5": SHARDS})
            before = [load.sent for load in loads]
            wait_until(lambda: all(load.sent > had + 20 for load, had in zip(loads, before)), 30, "they go on")
            for load in loads:
                load.stop()
            for load in loads:
                expect_all(nodes[4], f"absent-{load.topic}", load)
            wait_until(lambda: len(live.messages) >= loads[0].sent, 20, "the live one has all")
            self.assertEqual([int(message[1]) for message in live.messages], list(range(loads[0].sent)))
            live.close()

    def test_zones_and_weights(self):
        with harness.Cluster(3) as nodes:
            add_nodes(nodes, ["n4"], ["--zone", "far"])
            wait_level(nodes[0], 4)
            self.assertEqual(replicas(nodes[0])["n4"], SHARDS)  # of each shard one, in the only other zone
            add_nodes(nodes, ["n5"], ["--zone", "far", "--weight", "3"])
            wait_level(nodes[0], 5)
            counts = replicas(nodes[0])
            self.assertEqual(counts["n5"], SHARDS)
            self.assertLess(counts["n4"], SHARDS)
            for shard in placements(nodes[0])["shards"]:
                far = {"n4", "n5"} & set(shard["replicas"].split(","))
                self.assertIn(len(far), (1, 2), shard)


class Leaving(unittest.TestCase):
    def test_it_goes_at_once_where_nobody_could_take_its_replicas(self):
        with harness.Cluster(3) as nodes:
            told = nodes[2].ctl_text("leave", "--wait")
            self.assertIn("too few others", told)
            self.assertIn("has left the cluster", told)
            nodes[0].wait_ready()

    def test_it_may_be_interrupted_and_given_again(self):
        with harness.Cluster(4) as nodes:
            wait_level(nodes[0], 4)
            leave_subscriber(nodes[3], "durable", "d", 1)
            first = subprocess.Popen([harness.SHOAL, "ctl", "--data-dir", str(nodes[3].directory), "leave"],
                                     stdout=subprocess.PIPE, text=True)
            first.stdout.readline()
            first.kill()
            first.wait()
            first.stdout.close()
            nodes[3].wait_ready()  # it serves its clients
            told = nodes[3].ctl_text("leave")
            self.assertIn("has left the cluster", told)
            wait_level(nodes[0], 3, 30)
            publisher = Client(nodes[1].mqtt_port, "publisher")
            publisher.publish("d", "1", 1)
            publisher.close()
            back = Client(nodes[2].mqtt_port, "durable", clean=False, expiry_s=600)
            self.assertTrue(back.session_present)
            back.expect("1")
            back.close()


class Replacing(unittest.TestCase):
    def test_a_node_that_is_dead_for_long_is_replaced(self):
        with harness.Cluster(4, options=["--replace-after", "10s"]) as nodes:
            wait_level(nodes[0], 4)
            nodes[3].kill()
            wait_until(lambda: "n4" not in replicas(nodes[0]) and placements(nodes[0])["level"], 60,
                       "its replicas are with the others", every_s=0.5)
            self.assertEqual(replicas(nodes[0]), {"n1": SHARDS, "n2": SHARDS, "n3": SHARDS})
            nodes[3].start().wait_ready(30)
            wait_level(nodes[0], 4)


if __name__ == "__main__":
    harness.main()
