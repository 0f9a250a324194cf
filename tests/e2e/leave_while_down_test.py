"""Nodes leave and come while another is dead: what was acknowledged is all there, and who cannot leave says why."""
import subprocess
import time
import unittest

import harness
from harness import wait_until
from loads import Load, expect_all, leave_subscriber
from paho_client import Client
from placement_test import SHARDS, add_nodes, placements, replicas, wait_level

TOPICS = {f"t/{i}": qos for i, qos in enumerate((1, 2, 1, 2))}
LEAVES_WITHIN_S = 40


def leave_subscribers(node):
    for topic, qos in TOPICS.items():
        leave_subscriber(node, f"absent-{topic}", topic, qos)


def start_loads(node):
    loads = [Load(node, topic, qos) for topic, qos in TOPICS.items()]
    for load in loads:
        load.start()
    wait_until(lambda: all(load.sent > 30 for load in loads), 30, "messages")
    return loads


def expect_they_go_on(loads):
    before = [load.sent for load in loads]
    wait_until(lambda: all(load.sent > had + 20 for load, had in zip(loads, before)), 30, "the publishers go on")


def state_of(node, name):
    return [member["state"] for member in node.ctl("members")["members"] if member["name"] == name]


def kill(node, seen_by):
    node.kill()
    # One that cannot be given up, for lack of a majority, stays silent.
    wait_until(lambda: state_of(seen_by, node.name)[0] in ("given-up", "silent"), 20, f"{node.name} is missed")


def leave(node):
    """What was said; the node is stopped."""
    started = time.monotonic()
    said = node.ctl_text("leave", "--wait")
    assert "has left the cluster" in said, said
    took = time.monotonic() - started
    assert took < LEAVES_WITHIN_S, f"{took:.0f} s: {said}"
    node.stop()
    return said


class Down(unittest.TestCase):
    def test_five_become_three(self):
        with harness.Cluster(5) as nodes:
            wait_level(nodes[0], 5)
            leave_subscribers(nodes[0])
            kill(nodes[3], nodes[0])
            loads = start_loads(nodes[1])
            self.assertIn("replicas are to move to others", leave(nodes[0]))
            expect_they_go_on(loads)
            left = replicas(nodes[1])
            self.assertNotIn("n1", left)
            self.assertEqual(sum(left.values()), 3 * SHARDS)
            leave(nodes[4])
            expect_they_go_on(loads)
            for load in loads:
                load.stop()
            nodes[3].start().wait_ready(30)
            wait_level(nodes[1], 3)
            self.assertEqual(replicas(nodes[1]), {"n2": SHARDS, "n3": SHARDS, "n4": SHARDS})
            # Those that took over hold it all: whichever of them is lost.
            nodes[1].kill()
            for load in loads:
                expect_all(nodes[2], f"absent-{load.topic}", load)

    def test_three_become_five(self):
        with harness.Cluster(3) as nodes:
            leave_subscribers(nodes[0])
            kill(nodes[2], nodes[0])
            loads = start_loads(nodes[0])
            add_nodes(nodes, ["n4", "n5"])
            expect_they_go_on(loads)
            live = Client(nodes[4].mqtt_port, "live")
            live.subscribe("live", 1)
            sender = Client(nodes[3].mqtt_port, "sender")
            sender.publish("live", "served", 1)
            live.expect("served")
            for client in (live, sender):
                client.close()
            self.assertIn("node n3 is away", placements(nodes[0])["waits"])
            nodes[2].start().wait_ready(30)
            wait_level(nodes[3], 5)
            expect_they_go_on(loads)
            for load in loads:
                load.stop()
            for load in loads:
                expect_all(nodes[4], f"absent-{load.topic}", load)


class Refused(unittest.TestCase):
    def test_of_three(self):
        with harness.Cluster(3) as nodes:
            leave_subscriber(nodes[0], "durable", "d", 1)
            kill(nodes[2], nodes[0])
            for more in ([], ["--now"]):
                done = subprocess.run([harness.SHOAL, "ctl", "--data-dir", str(nodes[0].directory), "leave", *more],
                                      capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn("node n3 is away", done.stderr)
                self.assertIn("shoal ctl remove n3", done.stderr)
            self.assertIn("this node cannot leave: ", nodes[0].log_path.read_text())
            nodes[0].wait_ready()
            # Another comes: there is somebody to take its replicas.
            add_nodes(nodes, ["n4"])
            leave(nodes[0])
            self.assertEqual(replicas(nodes[1])["n4"], SHARDS)
            publisher = Client(nodes[1].mqtt_port, "publisher")
            publisher.publish("d", "1", 1)
            publisher.close()
            back = Client(nodes[3].mqtt_port, "durable", clean=False, expiry_s=600)
            self.assertTrue(back.session_present)
            back.expect("1")
            back.close()

    def test_two_of_four_are_down(self):
        with harness.Cluster(4) as nodes:
            wait_level(nodes[0], 4)
            kill(nodes[1], nodes[0])
            kill(nodes[2], nodes[0])
            done = nodes[0].ctl_text("leave", check=False)
            self.assertIn("shoal ctl remove n2", done)
            self.assertIn("shoal ctl remove n3", done)
            for node in nodes[1:3]:
                node.start()
            for node in nodes[:3]:
                node.wait_ready(30)
            wait_until(lambda: all(state_of(nodes[0], node.name) == ["in-sync"] for node in nodes[1:]), 30, "all are back")
            leave(nodes[0])


if __name__ == "__main__":
    harness.main()
