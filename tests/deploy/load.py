"""Clients that publish and receive through a balancer, and what they saw: every acknowledged message is accounted for.

A subscriber is owed a message that was published after its SUBACK and acknowledged while it was still connected. Its
end is the moment that it learns of; a message acknowledged within `blind_s` before that may have been acknowledged after
the broker's side had closed, and is not counted. Where a node dies without a word the balancer takes its time to tell.
"""
import dataclasses
import ssl
import threading
import time

import paho.mqtt.client as mqtt

PLANNED_BLIND_S = 1.0   # from the broker's close to the client's notice, on a busy machine
CRASH_BLIND_S = 20.0    # from a node's death to the balancer's cut, and some


@dataclasses.dataclass
class Endpoint:
    host: str
    port: int
    user: str
    password: str
    ca_file: str = ""

    def client(self, client_id):
        made = mqtt.Client(client_id, protocol=mqtt.MQTTv5)
        made.username_pw_set(self.user, self.password)
        if self.ca_file:
            made.tls_set(self.ca_file, cert_reqs=ssl.CERT_REQUIRED)
        made.reconnect_delay_set(0.2, 1)
        made.max_inflight_messages_set(1)
        return made

    def start(self, client):
        """Connects, and again whenever the connection is lost, in a thread of the client's own."""
        client.connect_async(self.host, self.port, keepalive=10)
        client.loop_start()


class Away:
    """How long a client had no broker, each time."""

    def __init__(self):
        self.since = time.monotonic()  # of the first connection's attempt
        self.gaps = []

    def connected(self):
        if self.since is not None:
            self.gaps.append((self.since, time.monotonic()))
            self.since = None

    def disconnected(self):
        if self.since is None:
            self.since = time.monotonic()


class Publisher(threading.Thread):
    """One message at a time: the next after the acknowledgement of the last, or after a lost connection."""

    def __init__(self, endpoint, name, interval_s):
        super().__init__(daemon=True)
        self.endpoint, self.name, self.interval_s = endpoint, name, interval_s
        self.acked = []  # (number, sent at, acknowledged at)
        self.away = Away()
        self.refused = []
        self.ending = threading.Event()
        self.changed = threading.Condition()
        self.pending = None  # (packet id, number, sent at)
        self.client = endpoint.client(name)
        self.client.on_connect = self.on_connect
        self.client.on_disconnect = self.on_disconnect
        self.client.on_publish = self.on_publish

    def on_connect(self, _client, _data, _flags, reason, _properties):
        if reason.value >= 0x80:
            self.refused.append(str(reason))
        else:
            self.away.connected()

    def on_disconnect(self, *_):
        self.away.disconnected()

    def on_publish(self, _client, _data, packet_id):
        now = time.monotonic()
        with self.changed:
            if self.pending and self.pending[0] == packet_id:
                self.acked.append((self.pending[1], self.pending[2], now))
                self.pending = None
                self.changed.notify()

    def run(self):
        self.endpoint.start(self.client)
        number = 0
        while not self.ending.wait(self.interval_s):
            with self.changed:
                if not self.client.is_connected():
                    continue
                if self.pending is None:
                    number += 1
                    # Whatever else happens to it, an unacknowledged message is sent again by the client library.
                    sent = time.monotonic()
                    info = self.client.publish(f"load/{self.name}", str(number), qos=1)
                    self.pending = (info.mid, number, sent)
                self.changed.wait_for(lambda: self.pending is None, timeout=1)
        self.client.disconnect()
        self.client.loop_stop()


class Subscriber:
    def __init__(self, endpoint, name):
        self.endpoint, self.name = endpoint, name
        self.received = {}   # (publisher, number) -> first arrival
        self.sessions = []   # [subscribed at, ended at or None]
        self.away = Away()
        self.client = endpoint.client(name)
        self.client.on_connect = self.on_connect
        self.client.on_subscribe = self.on_subscribe
        self.client.on_message = self.on_message
        self.client.on_disconnect = self.on_disconnect

    def start(self):
        self.endpoint.start(self.client)

    def on_connect(self, client, _data, _flags, reason, _properties):
        if reason.value < 0x80:
            self.away.connected()
            client.subscribe("load/#", qos=1)

    def on_subscribe(self, *_):
        self.sessions.append([time.monotonic(), None])

    def on_message(self, _client, _data, message):
        publisher = message.topic.split("/", 1)[1]
        self.received.setdefault((publisher, int(message.payload)), time.monotonic())

    def on_disconnect(self, *_):
        self.away.disconnected()
        if self.sessions and self.sessions[-1][1] is None:
            self.sessions[-1][1] = time.monotonic()

    def owed(self, sent, acked, blind_s):
        return any(begin <= sent and (end is None or acked <= end - blind_s) for begin, end in list(self.sessions))

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()


class Load:
    """Publishers and subscribers of a step, spread over the endpoints in turn."""

    def __init__(self, endpoints, publishers=3, subscribers=6, interval_s=0.05):
        def at(index):
            return endpoints[index % len(endpoints)]
        self.publishers = [Publisher(at(i), f"step-pub{i}", interval_s) for i in range(publishers)]
        self.subscribers = [Subscriber(at(i), f"step-sub{i}") for i in range(subscribers)]

    def __enter__(self):
        for one in self.subscribers + self.publishers:
            one.start()
        self.wait(lambda: all(s.sessions for s in self.subscribers) and all(p.acked for p in self.publishers),
                  30, "every client connected, subscribed and acknowledged")
        return self

    def __exit__(self, *_):
        for one in self.publishers:
            one.ending.set()
        for one in self.publishers:
            one.join(5)
        for one in self.subscribers:
            one.stop()

    @staticmethod
    def wait(holds, seconds, what):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds} s: {what}")
            time.sleep(0.1)

    def lost(self, blind_s, settle_s=10):
        """(messages that a subscriber was owed and did not get, messages owed). Waits for those still under way."""
        end = time.monotonic() + settle_s
        while True:
            owed = [(s, p.name, number) for p in self.publishers for number, sent, acked in list(p.acked)
                    for s in self.subscribers if s.owed(sent, acked, blind_s)]
            missing = [(s.name, name, number) for s, name, number in owed if (name, number) not in s.received]
            if not missing or time.monotonic() > end:
                return missing, len(owed)
            time.sleep(0.2)

    def sessions_ended(self):
        return sum(end is not None for s in self.subscribers for _, end in s.sessions)

    def longest_gap(self, since):
        """The longest time in seconds after `since` that a client was without a broker, still lasting ones included; whose."""
        now = time.monotonic()
        gaps = [(begin, end, one.name) for one in self.publishers + self.subscribers for begin, end in one.away.gaps]
        gaps += [(one.away.since, now, one.name) for one in self.publishers + self.subscribers if one.away.since is not None]
        return max(((end - begin, name) for begin, end, name in gaps if end > since), default=(0.0, "nobody"))
