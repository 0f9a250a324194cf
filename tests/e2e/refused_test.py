"""Real nodes that a cluster does not take: both sides say why in their logs, and the one that is not wanted in /readyz and
`shoal ctl members`, too."""
import shutil
import unittest

import harness
from harness import wait_until
from paho_client import Client


def newcomer(nodes, name, options=()):
    """A node that would join; it is ended by whoever started it."""
    node = harness.Node(nodes[0].directory.parent, name, options=options)
    node.join, node.expect = [f"127.0.0.1:{nodes[0].peer_port}"], 3
    return node


class Refused(unittest.TestCase):
    def expect_said(self, refusing, refused, *words):
        """In one line of each log."""
        def is_said(node, start):
            lines = node.log_path.read_text(errors="replace").splitlines()
            return any(start in line and all(word in line for word in words) for line in lines)
        wait_until(lambda: is_said(refusing, "refused "), 10, f"{refusing.name} says {words}: {refusing.tail()}")
        wait_until(lambda: is_said(refused, "refused by ") or is_said(refused, "cannot be with "), 10,
                   f"{refused.name} says {words}: {refused.tail()}")

    def expect_not_ready(self, node, words):
        wait_until(lambda: words in node.get("/readyz")[1], 10, f"{words} in {node.get('/readyz')[1]}")
        self.assertIn(words, node.ctl_text("members"))

    def test_of_another_cluster(self):
        with harness.Cluster(3) as nodes, harness.Cluster(1) as (other,):
            ids = [node.ctl("members")["cluster"] for node in (nodes[0], other)]
            other.kill()
            other.options = ["--join", f"127.0.0.1:{nodes[0].peer_port}"]
            other.start().wait_ready()
            self.expect_said(nodes[0], other, *ids)
            self.assertTrue(all(node.is_ready() for node in nodes))

    def test_of_an_older_protocol(self):
        with harness.Cluster(3) as nodes:
            wait_until(lambda: nodes[0].ctl("members")["protocol_level"] == 2, 10, "the level")
            old = newcomer(nodes, "old", ["--protocol-version", "1"]).start()
            try:
                why = "the cluster is at protocol 2, node old speaks 1 to 1: it needs a later version"
                self.expect_said(nodes[0], old, why)
                self.expect_not_ready(old, why)
            finally:
                old.kill()

    def test_that_was_removed(self):
        with harness.Cluster(4) as nodes:
            gone = nodes[3]
            gone.kill()
            wait_until(lambda: "removed" in nodes[0].ctl_text("remove", "n4", check=False), 15, "n4 removed")
            gone.start()
            why = "node n4 has left the cluster: to join again it needs an empty --data-dir"
            self.expect_said(nodes[0], gone, why)
            self.expect_not_ready(gone, why)
            gone.kill()
            shutil.rmtree(gone.directory)
            gone.start().wait_ready(30)

    def test_that_left(self):
        with harness.Cluster(4) as nodes:
            left = nodes[3]
            left.ctl_text("leave")
            left.stop()
            left.start()
            self.expect_not_ready(left, "this node has left the cluster: to join again it needs an empty --data-dir")
            wait_until(lambda: "this node has left the cluster" in left.tail(50), 10, "it says so")
            late = Client(left.mqtt_port, "late")
            self.assertEqual(late.connack, 0x88)
            wait_until(lambda: any("this node has left the cluster" in line and "late" in line
                                   for line in left.log_path.read_text().splitlines()), 5, "why the client was refused")

    def test_of_an_identity_that_is_taken(self):
        with harness.Cluster(3) as nodes:
            copy = newcomer(nodes, "copy")
            nodes[2].kill()
            shutil.copytree(nodes[2].directory, copy.directory, ignore=lambda *_: ["ctl.sock"])
            nodes[2].start().wait_ready()
            copy.name = "n3"
            copy.start()
            try:
                self.expect_said(nodes[0], copy, "two processes have the identity of node n3")
                self.expect_not_ready(copy, "two processes have the identity")
                self.assertTrue(nodes[2].is_ready())
            finally:
                copy.kill()


if __name__ == "__main__":
    harness.main()
