"""Eclipse Paho's Python client, wrapped for tests: what it was told is kept and can be waited for."""
import socket
import threading
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions  # noqa: F401 (used by tests)

VERSIONS = {"3.1": paho.MQTTv31, "3.1.1": paho.MQTTv311, "5.0": paho.MQTTv5}


class Client:
    """Connects in the constructor. `messages` holds (topic, payload, qos, retain, properties) in the order of arrival."""

    def __init__(self, port, client_id="", version="5.0", clean=True, expiry_s=0, will=None, user=None,
                 password=None, keepalive=60, connect_timeout_s=10, transport="tcp", tls=None, **options):
        self.version = VERSIONS[version]
        kwargs = {} if self.version == paho.MQTTv5 else {"clean_session": clean}
        self.paho = paho.Client(client_id=client_id, protocol=self.version, transport=transport, **kwargs)
        self.messages, self.changed = [], threading.Condition()
        self.connack = self.session_present = self.disconnect_reason = None
        self.subacks, self.unsubacks, self.acked = {}, {}, set()
        self.closed = threading.Event()
        if user is not None:
            self.paho.username_pw_set(user, password)
        if will:
            self.paho.will_set(**will)
        if tls:
            self.paho.tls_set(**tls)
        self.paho.on_connect = self._on_connect
        self.paho.on_message = self._on_message
        self.paho.on_subscribe = lambda *a: self._note(lambda: self.subacks.__setitem__(a[2], a[3]))
        self.paho.on_unsubscribe = lambda *a: self._note(lambda: self.unsubacks.__setitem__(a[2], True))
        self.paho.on_publish = lambda client, data, mid: self._note(lambda: self.acked.add(mid))
        self.paho.on_disconnect = self._on_disconnect
        arguments = {}
        if self.version == paho.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = expiry_s
            for name, value in options.get("connect_properties", {}).items():
                setattr(properties, name, value)
            arguments = {"clean_start": clean, "properties": properties}
        self.paho.connect("localhost", port, keepalive=keepalive, **arguments)
        self.paho.loop_start()
        self.wait(lambda: self.connack is not None or self.closed.is_set(), connect_timeout_s, "CONNACK")

    def _note(self, change):
        with self.changed:
            change()
            self.changed.notify_all()

    def _on_connect(self, client, data, flags, reason, properties=None):
        def change():
            self.connack = getattr(reason, "value", reason)
            self.session_present = bool(flags.get("session present"))
            self.connack_properties = properties
        self._note(change)

    def _on_message(self, client, data, message):
        kept = (message.topic, message.payload, message.qos, bool(message.retain), getattr(message, "properties", None))
        self._note(lambda: self.messages.append(kept))

    def _on_disconnect(self, client, data, reason, properties=None):
        # Paho calls this again when it then finds the socket closed.
        if self.disconnect_reason is None:
            self.disconnect_reason = getattr(reason, "value", reason)
        self.closed.set()
        self._note(lambda: None)
        # One connection a Client: a test that wants another makes another.
        threading.Thread(target=client.loop_stop, daemon=True).start()

    def wait(self, condition, timeout_s=10, what="condition"):
        end = time.monotonic() + timeout_s
        with self.changed:
            while not condition():
                left = end - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    if condition():
                        return
                    raise AssertionError(f"not within {timeout_s} s: {what}")

    def subscribe(self, topic, qos=0, timeout_s=10, **arguments):
        _, mid = self.paho.subscribe(topic, qos, **arguments) if not arguments.get("options") \
            else self.paho.subscribe(topic, options=arguments["options"], properties=arguments.get("properties"))
        self.wait(lambda: mid in self.subacks, timeout_s, f"SUBACK for {topic}")
        return [getattr(code, "value", code) for code in self.subacks[mid]]

    def unsubscribe(self, topic, timeout_s=10):
        _, mid = self.paho.unsubscribe(topic)
        self.wait(lambda: mid in self.unsubacks, timeout_s, f"UNSUBACK for {topic}")

    def publish(self, topic, payload=b"", qos=0, retain=False, wait=True, timeout_s=10, properties=None):
        info = self.paho.publish(topic, payload, qos, retain, properties)
        if wait:
            self.wait(lambda: info.mid in self.acked, timeout_s, f"acknowledgement of {topic}")
        return info.mid

    def expect(self, payload, timeout_s=10):
        """Waits until a message with this payload came; returns it."""
        payload = payload.encode() if isinstance(payload, str) else payload
        found = lambda: next((m for m in self.messages if m[1] == payload), None)  # noqa: E731
        self.wait(lambda: found() is not None, timeout_s, f"a message {payload[:40]!r}")
        return found()

    def payloads(self):
        with self.changed:
            return [m[1] for m in self.messages]

    def close(self):
        self.paho.disconnect()
        self.paho.loop_stop()

    def drop(self):
        """Ends the connection without DISCONNECT."""
        sock = self.paho.socket()
        if sock is not None:
            getattr(sock, "_socket", sock).shutdown(socket.SHUT_RDWR)  # of Paho's wrapper for WebSocket
        self.closed.wait(5)
