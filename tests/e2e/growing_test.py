"""One node becomes three while clients are served: each shard's lone replica is founded anew with two others, nothing that was
acknowledged is lost, doubled or out of order, also when the first node or a new one is killed meanwhile."""
import time
import unittest

import harness
from harness import wait_until
from loads import Load, expect_all, leave_subscriber
from paho_client import Client
from placement_test import SHARDS, add_nodes, leaders, placements, replicas, wait_level

TOPICS = {f"t/{i}": qos for i, qos in enumerate((1, 2, 1, 2))}


def start_loads(node, prefix):
    loads = [Load(node, f"{prefix}/{topic}", qos) for topic, qos in TOPICS.items()]
    for load in loads:
        load.start()
    return loads


def wait_sent(loads, more, timeout_s=30):
    before = [load.sent for load in loads]
    wait_until(lambda: all(load.sent >= had + more for load, had in zip(loads, before)), timeout_s,
               f"{more} messages more: {[(load.sent, load.failure) for load in loads]}")


def is_growing(node):
    return any(shard["copying"] for shard in placements(node)["shards"])


class One(unittest.TestCase):
    def test_becomes_three_and_its_first_node_may_die(self):
        with harness.Cluster(1) as nodes:
            for prefix in ("a", "b"):
                for topic, qos in TOPICS.items():
                    leave_subscriber(nodes[0], f"absent-{prefix}/{topic}", f"{prefix}/{topic}", qos)
            first = start_loads(nodes[0], "a")
            wait_sent(first, 50)
            add_nodes(nodes, ["n2", "n3"])
            second = start_loads(nodes[1], "b")
            wait_level(nodes[0], 3)
            self.assertEqual(replicas(nodes[2]), {"n1": SHARDS, "n2": SHARDS, "n3": SHARDS})
            wait_sent(first + second, 50)
            nodes[0].kill()
            started = time.monotonic()
            wait_sent(second, 1)
            self.assertLess(time.monotonic() - started, 10)
            wait_sent(second, 50)
            for load in first:
                load.stopping.set()
            for load in second:
                load.stop()
            for load in first + second:
                expect_all(nodes[2], f"absent-{load.topic}", load, may_have_one_more=True)
            self.assertLessEqual(set(leaders(nodes[1])), {"n2", "n3"})
            nodes[0].start().wait_ready(30)
            wait_level(nodes[0], 3, 30)

    def test_nodes_are_killed_while_it_grows(self):
        with harness.Cluster(1) as nodes:
            for topic, qos in TOPICS.items():
                leave_subscriber(nodes[0], f"absent-a/{topic}", f"a/{topic}", qos)
            loads = start_loads(nodes[0], "a")
            wait_sent(loads, 50)
            for load in loads:
                load.stop()
            add_nodes(nodes, ["n2", "n3"])
            for killed in (nodes[2], nodes[0], nodes[1]):
                wait_until(lambda: is_growing(nodes[0]) or placements(nodes[0])["level"], 30, "it grows", every_s=0.01)
                killed.kill()
                killed.start().wait_ready(30)
            wait_level(nodes[1], 3)
            self.assertEqual(replicas(nodes[1]), {"n1": SHARDS, "n2": SHARDS, "n3": SHARDS})
            nodes[0].kill()
            for load in loads:
                expect_all(nodes[1], f"absent-{load.topic}", load, may_have_one_more=True)

    def test_a_node_is_down_and_the_first_one_leaves(self):
        with harness.Cluster(1) as nodes:
            leave_subscriber(nodes[0], "durable", "d", 1)
            add_nodes(nodes, ["n2"])
            told = nodes[0].ctl_text("leave", check=False)
            self.assertIn("have their only replica on this node", told)
            self.assertEqual(replicas(nodes[0]), {"n1": SHARDS})
            self.assertTrue(placements(nodes[0])["level"])
            add_nodes(nodes, ["n3", "n4", "n5"])
            nodes[4].kill()
            wait_until(lambda: all(shard["replicas"].count(",") == 2 for shard in placements(nodes[0])["shards"]), 90,
                       "three replicas of each", every_s=0.5)
            nodes[4].start().wait_ready(30)
            wait_level(nodes[1], 5)
            self.assertIn("has left the cluster", nodes[0].ctl_text("leave"))
            nodes[0].stop()
            wait_level(nodes[1], 4, 60)
            publisher = Client(nodes[1].mqtt_port, "publisher")
            publisher.publish("d", "1", 1)
            publisher.close()
            back = Client(nodes[2].mqtt_port, "durable", clean=False, expiry_s=600)
            self.assertTrue(back.session_present)
            back.expect("1")
            back.close()


if __name__ == "__main__":
    harness.main()
