"""More nodes are lost for good than a cluster bears: `shoal recover` goes on with what is left, says what may be lost, and
refuses what does not fit together."""
import shutil
import subprocess
import time
import unittest

import harness
from harness import wait_until
from loads import leave_subscriber
from paho_client import Client
from placement_test import SHARDS, add_nodes, replicas, wait_level


def recover(node, *words):
    done = subprocess.run([harness.SHOAL, "recover", "--data-dir", str(node.directory), *map(str, words)],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def report(node):
    status, text, error = recover(node, "report")
    assert status == 0, error
    file = node.directory.parent / f"{node.name}.report"
    file.write_text(text)
    return file


def lose(nodes):
    for node in nodes:
        node.kill()
        shutil.rmtree(node.directory)


def apply(left):
    """All of them, and what the first one said."""
    reports = [report(node) for node in left]
    status, plan, error = recover(left[0], "apply", *reports)
    assert status == 0 and "Nothing is changed yet" in plan, plan + error
    for node in left:
        status, said, error = recover(node, "apply", *reports, "--yes")
        assert status == 0 and "Done." in said, said + error
        assert said.splitlines()[:-1] == plan.splitlines()[:-1], said
    return plan


def fill(nodes, sessions, messages):
    names = [f"session-{i}" for i in range(sessions)]
    for name in names:
        leave_subscriber(nodes[0], name, f"q/{name}", 2)
    publisher = Client(nodes[0].mqtt_port, "publisher", clean=False, expiry_s=600)
    for i in range(messages):
        for name in names:
            publisher.publish(f"q/{name}", str(i), 1 + i % 2)
    publisher.publish("kept", "retained", 1, retain=True)
    publisher.close()
    time.sleep(1)  # all replicas have it
    return names


def expect_messages(node, name, messages):
    """False: the session is lost."""
    client = Client(node.mqtt_port, name, clean=False, expiry_s=600)
    try:
        if not client.session_present:
            return False
        wait_until(lambda: len(client.messages) >= messages, 20, f"{name}: {messages} messages, {len(client.messages)} came")
        time.sleep(0.1)
        got = [int(message[1]) for message in client.messages]
        assert sorted(got) == list(range(messages)), f"{name}: {got}"  # each QoS has an order of its own
        return True
    finally:
        client.close()


class Recover(unittest.TestCase):
    def test_one_of_three(self):
        with harness.Cluster(3) as nodes:
            names = fill(nodes, 12, 6)
            left = nodes[0]
            lose(nodes[1:])
            left.kill()
            plan = apply([left])
            self.assertIn("Removed for good: n2, n3", plan)
            self.assertEqual(plan.count("goes on alone on n1"), SHARDS)
            left.start().wait_ready(20)
            self.assertEqual([member["name"] for member in left.ctl("members")["members"] if member["state"] != "left"],
                             ["n1"])
            for name in names:
                self.assertTrue(expect_messages(left, name, 6), name)
            del nodes[1:]
            add_nodes(nodes, ["n4", "n5"])
            wait_level(left, 3)
            self.assertEqual(replicas(left), {"n1": SHARDS, "n4": SHARDS, "n5": SHARDS})
            # From shard to shard, at QoS 2, through outboxes that others have marks of.
            publisher = Client(nodes[2].mqtt_port, "publisher", clean=False, expiry_s=600)
            for name in names:
                publisher.publish(f"q/{name}", "0", 2)
            publisher.close()
            left.kill()
            for name in names:
                self.assertTrue(expect_messages(nodes[1], name, 1), name)
            retained = Client(nodes[1].mqtt_port, "retained")
            retained.subscribe("kept", 1)
            retained.expect("retained")
            retained.close()

    def test_two_of_five(self):
        with harness.Cluster(5) as nodes:
            wait_level(nodes[0], 5)
            time.sleep(8)  # what was moved away is forgotten: it would be taken for a replica
            names = fill(nodes, 40, 4)
            left, lost = nodes[:2], nodes[2:]
            lose(lost)
            for node in left:
                node.kill()
            plan = apply(left)
            alone, empty, whole = plan.count("goes on alone"), plan.count("begins EMPTY"), plan.count("nothing is lost")
            self.assertEqual(alone + empty + whole, SHARDS, plan)
            self.assertGreater(alone, 0, plan)
            for node in left:
                node.start()
            for node in left:
                node.wait_ready(30)
            kept = sum(expect_messages(left[i % 2], name, 4) for i, name in enumerate(names))
            self.assertEqual(kept == len(names), empty == 0, plan)
            del nodes[2:]
            add_nodes(nodes, ["n6", "n7"])
            wait_level(nodes[0], 4)
            self.assertEqual(sum(replicas(nodes[0]).values()), 3 * SHARDS)
            for name in names:
                leave_subscriber(nodes[2], name, f"q/{name}", 2)
            publisher = Client(nodes[3].mqtt_port, "publisher", clean=False, expiry_s=600)
            for name in names:
                publisher.publish(f"q/{name}", "0", 2)
            publisher.close()
            for name in names:
                self.assertTrue(expect_messages(nodes[2], name, 1), name)

    def test_what_does_not_fit_is_refused(self):
        with harness.Cluster(3) as nodes, harness.Cluster(1) as others:
            self.assertIn("another shoal uses this data directory", recover(nodes[0], "report")[2])
            for node in [*nodes, *others]:
                node.kill()
            reports = [report(node) for node in nodes]
            foreign = others[0].directory.parent / "foreign.report"
            report(others[0]).rename(foreign)
            broken = nodes[0].directory.parent / "broken.report"
            broken.write_text(reports[1].read_text()[:100])

            def refused(files, why, node=nodes[0]):
                status, _, error = recover(node, "apply", *files, "--yes")
                self.assertEqual(status, 1, error)
                self.assertIn(why, error)
            refused([reports[1]], "the report of this node")
            refused([reports[0], foreign], "foreign.report: is of another cluster")
            refused([reports[0], reports[1], reports[1]], "n2.report: is of the same node as")
            refused([reports[0], broken], "broken.report: is no whole report")
            refused([reports[0], broken.with_name("none")], "none: cannot be read")
            self.assertEqual(recover(nodes[0], "apply")[0], 2)
            status, said, _ = recover(nodes[0], "apply", *reports, "--yes")
            self.assertEqual(status, 0)
            self.assertIn("There is nothing to recover", said)
            for node in nodes:
                node.start()
            for node in nodes:
                node.wait_ready()
            nodes[0].kill()
            refused(reports[:1], "n1.report: " + str(nodes[0].directory) + " has changed since this report")
            refused([report(nodes[0])], "no directory", harness.Node(nodes[0].directory.parent, "none"))


if __name__ == "__main__":
    harness.main()
