"""Publishers whose every message must come to a durable session that is away: once, and in order."""
import threading
import time

from harness import wait_until
from paho_client import Client


class Load(threading.Thread):
    """Numbers on a topic of its own at one QoS, one after the other; `sent` were acknowledged."""

    def __init__(self, node, topic, qos, text=str, **session):
        """`text(number)` is the payload; `session` as of a Client."""
        super().__init__(daemon=True)
        self.client = Client(node.mqtt_port, f"load-{topic}", **session)
        self.topic, self.qos, self.text = topic, qos, text
        self.sent, self.failure = 0, None
        self.stopping = threading.Event()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.client.publish(self.topic, self.text(self.sent), self.qos, timeout_s=30)
                self.sent += 1
        except BaseException as failure:  # told by stop()
            self.failure = failure

    def stop(self):
        self.stopping.set()
        self.join(60)
        self.client.close()
        if self.failure is not None:
            raise self.failure


def leave_subscriber(node, name, topic, qos):
    client = Client(node.mqtt_port, name, clean=False, expiry_s=600)
    client.subscribe(topic, qos)
    client.close()


def expect_all(node, name, load, may_have_one_more=False):
    """The session is there, with everything once and in order. One more may be there where the publisher's node was killed."""
    client = Client(node.mqtt_port, name, clean=False, expiry_s=600)
    assert client.session_present, f"the session of {name} is lost"
    wait_until(lambda: len(client.messages) >= load.sent, 30, f"{load.sent} messages, {len(client.messages)} came")
    time.sleep(0.2)
    got = [int(message[1]) for message in client.messages]
    client.close()
    due = [list(range(load.sent + more)) for more in range(1 + may_have_one_more)]
    assert got in due, f"{name}: {len(got)} of {load.sent}, {len(set(got))} different ones"
