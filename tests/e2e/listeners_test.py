"""One node with a listener of each kind, each with settings of its own, as a file configures them."""
import contextlib
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import unittest

import harness
import wire
from harness import wait_until
from wire import Authority, WebSocket, Wire

CONFIG = """
connect-timeout = "{connect_timeout}"
log-rate = "none"

[[listener]]
name = "plain"
address = "127.0.0.1:{plain}"

[[listener]]
name = "limited"
address = "127.0.0.1:{limited}"
max-connections = 2
max-qos = 1

[[listener]]
name = "users"
address = "127.0.0.1:{users}"
password-file = "{dir}/users"
acl-file = "{dir}/acl"

[[listener]]
name = "guests"
address = "127.0.0.1:{guests}"
password-file = "{dir}/users"
allow-anonymous = true

[[listener]]
name = "local"
type = "mqtt-unix"
address = "{dir}/mqtt.sock"

[[listener]]
name = "balancer"
address = "127.0.0.1:{balancer}"
proxy-protocol = true
trusted-proxies = ["127.0.0.1"]
allow-anonymous = true

[[listener]]
name = "balancer-here"
address = "127.0.0.1:{balancer_here}"
proxy-protocol = true

[[listener]]
name = "balancer-elsewhere"
address = "127.0.0.1:{balancer_elsewhere}"
proxy-protocol = true
trusted-proxies = ["10.0.0.0/8"]

[[listener]]
name = "tls"
type = "mqtts"
address = "127.0.0.1:{tls}"
tls-cert = ["{dir}/authority-first.pem", "{dir}/authority-second.pem"]
tls-key = ["{dir}/authority-first.key", "{dir}/authority-second.key"]

[[listener]]
name = "devices"
type = "mqtts"
address = "127.0.0.1:{devices}"
tls-cert = "{dir}/authority-first.pem"
tls-key = "{dir}/authority-first.key"
tls-client-ca = "{dir}/authority.pem"
identity-as-username = true
proxy-protocol = true

[[listener]]
name = "web"
type = "ws"
address = "127.0.0.1:{web}"
path = "/mqtt"
allowed-origins = ["https://app.example"]
trusted-proxies = ["127.0.0.1"]
allow-anonymous = true

[[listener]]
name = "web-tls"
type = "wss"
address = "127.0.0.1:{web_tls}"
tls-cert = "{dir}/authority-first.pem"
tls-key = "{dir}/authority-first.key"
"""
TCP_LISTENERS = ("plain", "limited", "users", "guests", "balancer", "balancer_here", "balancer_elsewhere", "tls", "devices",
                 "web", "web_tls")
NOT_AUTHORIZED, BAD_CREDENTIALS = 0x87, 0x86


class Listeners(unittest.TestCase):
    connect_timeout = "60s"

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="shoal-listeners-")
        cls.authority = Authority(cls.directory)
        cls.authority.issue("first", ["localhost", "first.example"])
        cls.authority.issue("second", ["second.example", "*.second.example"])
        cls.port = {name: harness.free_port() for name in TCP_LISTENERS}
        directory = pathlib.Path(cls.directory)
        config = directory / "shoal.toml"
        config.write_text(CONFIG.format(dir=cls.directory, connect_timeout=cls.connect_timeout, **cls.port))
        subprocess.run([harness.SHOAL, "passwd", str(directory / "users")], input=b"alice:secret\n", check=True, timeout=60)
        (directory / "acl").write_text("user alice\ntopic readwrite home/#\n")
        cls.node = harness.Node(cls.directory, "n1", options=["--config", str(config)])
        try:
            cls.node.start().wait_ready()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.node.kill()
        shutil.rmtree(cls.directory, ignore_errors=True)

    def tcp(self, listener, first=b""):
        sock = wire.tcp(self.port[listener], first)
        self.addCleanup(sock.close)
        return sock

    def address_of(self, client_id):
        """The address that `ctl sessions` shows."""
        def found():
            return [s["address"] for s in self.node.ctl("sessions")["sessions"] if s["client"] == client_id]
        return wait_until(found, 10, f"a session of {client_id}")[0]

    def user_of(self, client_id):
        return next(s["user"] for s in self.node.ctl("sessions")["sessions"] if s["client"] == client_id)

    def websocket(self, listener="web", **request):
        sock = self.tcp(listener)
        if listener == "web_tls":
            sock = wire.tls(sock, self.authority.cert)
        return WebSocket(sock, **request)

    def connected(self, sock, client_id="", **arguments):
        client = Wire(sock)
        self.assertEqual(client.connect(client_id, **arguments), 0)
        return client

    def is_refused(self, sock, first=b""):
        """Nothing but the end comes."""
        with contextlib.suppress(ConnectionError):
            sock.sendall(first)
        return Wire(sock).rest() == b""


class EveryListener(Listeners):
    def streams(self):
        """(listener, a connected stream before MQTT)."""
        yield "plain", self.tcp("plain")
        yield "limited", self.tcp("limited")
        yield "guests", self.tcp("guests")
        yield "local", wire.unix(pathlib.Path(self.directory) / "mqtt.sock")
        yield "balancer", self.tcp("balancer", b"PROXY TCP4 192.0.2.7 127.0.0.1 1 1883\r\n")
        yield "balancer_here", self.tcp("balancer_here", wire.proxy_v2(command=0))
        yield "tls", wire.tls(self.tcp("tls"), self.authority.cert)
        yield "tls 1.2", wire.tls(self.tcp("tls"), self.authority.cert, version=ssl.TLSVersion.TLSv1_2)
        yield "tls 1.3", wire.tls(self.tcp("tls"), self.authority.cert, version=ssl.TLSVersion.TLSv1_3)
        yield "web", self.websocket("web")
        yield "web_tls", self.websocket("web_tls", path="/any")

    def test_messages_cross_from_each_to_each(self):
        subscribers = {}
        for name, sock in self.streams():
            subscribers[name] = self.connected(sock, f"sub-{name}").send(wire.subscribe_packet("all/#"))
            subscribers[name].expect(0x90)
        for name, sock in self.streams():
            publisher = self.connected(sock)
            payload = name.encode() + b" " + os.urandom(30_000)
            publisher.send(wire.publish_packet("all/x", payload, qos=1))
            publisher.expect(0x40)
            for other, subscriber in subscribers.items():
                with self.subTest(publisher=name, subscriber=other):
                    self.assertEqual(subscriber.expect(0x30), wire.string("all/x") + b"\0" + payload)
            publisher.close()

    def test_limits_are_the_listeners_own(self):
        first = self.connected(self.tcp("limited"), "first")
        self.assertIn(b"\x24\x01", first.connack)  # Maximum QoS 1
        first.send(wire.subscribe_packet("q", qos=2))
        self.assertEqual(first.expect(0x90), b"\0\1\0\1")
        second = self.connected(self.tcp("limited"), "second")
        for version, reason in ((5, 0x97), (4, 3)):
            third = Wire(self.tcp("limited"))
            self.assertEqual(third.connect("third", version=version), reason)
            third.close()
        wait_until(lambda: "too many connections" in self.node.tail(1000), 10, "a line about it")
        self.connected(self.tcp("plain"), "third").ping()
        second.send(wire.DISCONNECT).rest()
        second.close()
        again = wait_until(lambda: self.second_again(), 10, "room for another")
        again.ping()
        first.ping()

    def second_again(self):
        client = Wire(self.tcp("limited"))
        try:
            return client if client.connect("second") == 0 else None
        except (wire.Closed, OSError):
            return None

    def test_users_and_rules_are_the_listeners_own(self):
        rows = [("users", None, None, NOT_AUTHORIZED), ("users", "alice", "wrong", BAD_CREDENTIALS),
                ("users", "alice", "secret", 0), ("guests", None, None, 0), ("guests", "alice", "wrong", BAD_CREDENTIALS),
                ("plain", None, None, 0), ("plain", "bob", "anything", 0)]
        for listener, user, password, reason in rows:
            with self.subTest(listener=listener, user=user):
                self.assertEqual(Wire(self.tcp(listener)).connect(user=user, password=password), reason)
        for listener, topic, reason in (("users", "home/a", 0x00), ("users", "away", 0x87), ("guests", "away", 0x00)):
            client = self.connected(self.tcp(listener), user="alice", password="secret")
            client.send(wire.subscribe_packet(topic))
            self.assertEqual(client.expect(0x90)[-1], reason, (listener, topic))

    def test_the_name_asked_for_chooses_the_certificate(self):
        for host, common_name in (("first.example", "first"), ("second.example", "second"), ("x.second.example", "second"),
                                  ("localhost", "first")):
            sock = wire.tls(self.tcp("tls"), self.authority.cert, host)  # which verifies the name
            subject = dict(pair[0] for pair in sock.getpeercert()["subject"])
            self.assertEqual(subject["commonName"], common_name)
            self.connected(sock).ping()

    def test_a_client_certificate_names_the_user(self):
        header = b"PROXY TCP4 192.0.2.44 127.0.0.1 1 8883\r\n"
        own = self.authority.issue("meter-7")
        client = self.connected(wire.tls(self.tcp("devices", header), self.authority.cert, own=own), "m7")
        self.assertEqual((self.user_of("m7"), self.address_of("m7")), ("meter-7", "192.0.2.44"))
        client.send(wire.DISCONNECT)
        strangers = Authority(self.directory, "strangers")
        for own in (None, strangers.issue("meter-7")):
            with self.assertRaises((wire.Closed, ssl.SSLError, ConnectionError)):
                Wire(wire.tls(self.tcp("devices", header), self.authority.cert, own=own)).connect("stranger")

    def test_a_plain_client_at_the_tls_port_ends_its_connection_only(self):
        self.assertNotIn(b"\x20", Wire(self.tcp("tls", wire.connect_packet("c"))).rest()[:1])
        self.connected(wire.tls(self.tcp("tls"), self.authority.cert)).ping()


class WebSockets(Listeners):
    def test_requests(self):
        rows = [({}, 101), ({"path": "/mqtt?token=1"}, 101), ({"path": "/other"}, 404), ({"protocol": ""}, 400),
                ({"protocol": "amqp"}, 400), ({"protocol": "amqp, mqtt"}, 101), ({"Origin": "https://app.example"}, 101),
                ({"Origin": "https://evil.example"}, 403), ({"Upgrade": "h2c"}, 426), ({"Sec_WebSocket_Version": "8"}, 426),
                ({"Sec_WebSocket_Key": "short"}, 400)]
        for request, status in rows:
            with self.subTest(**request):
                websocket = self.websocket(**request)
                self.assertEqual(websocket.status, status)
                if status == 101:
                    self.assertIn(b"Sec-WebSocket-Protocol: mqtt\r\n", websocket.response)  # [MQTT5-6.0.0-4]
                    self.connected(websocket).ping()

    def test_frames_and_packets_need_not_agree(self):  # [MQTT5-6.0.0-2] [MQTT311-6.0.0-2]
        """Several packets in one frame, one packet over many, fragments, all at once or a byte at a time."""
        packets = wire.connect_packet("framed") + wire.subscribe_packet("f/#") + wire.publish_packet("f/x", b"p" * 300, 1)
        one = [wire.frame(wire.BINARY, packets)]
        many = [wire.frame(wire.BINARY, packets[i:i + 1]) for i in range(len(packets))]
        fragments = [wire.frame(wire.BINARY, packets[:3], fin=False), wire.frame(wire.CONTINUATION, b"", fin=False),
                     wire.frame(wire.PING, b"between"), wire.frame(wire.CONTINUATION, packets[3:40], fin=False),
                     wire.frame(wire.CONTINUATION, packets[40:])]
        for name, frames, at_once in (("one", one, True), ("many", many, True), ("many, slowly", many, False),
                                      ("fragments", fragments, True), ("fragments, slowly", fragments, False)):
            with self.subTest(frames=name):
                websocket = self.websocket()
                for part in ([b"".join(frames)] if at_once else frames):
                    websocket.send_frames(part)
                client = Wire(websocket)
                self.assertEqual(client.expect(0x20)[1], 0)
                self.assertEqual(sorted(client.packet()[0] for _ in range(3)), [0x30, 0x40, 0x90])
                client.ping()
                if frames is fragments:
                    self.assertEqual(websocket.control, [(wire.PONG, b"between")])
                websocket.send_frames(wire.frame(wire.BINARY, wire.DISCONNECT))
                self.assertEqual(websocket.next_frame(), (0x80 | wire.CLOSE, b"\x03\xe8"))

    def test_control_frames(self):
        websocket = self.websocket()
        client = self.connected(websocket)
        websocket.send_frames(wire.frame(wire.PING, b"x" * 125), wire.frame(wire.PONG, b"unasked"))
        self.assertEqual(websocket.next_frame(), (0x80 | wire.PONG, b"x" * 125))
        client.ping()
        websocket.send_frames(wire.frame(wire.CLOSE, b"\x03\xe9going"))
        self.assertEqual(websocket.next_frame(), (0x80 | wire.CLOSE, b"\x03\xe9"))
        self.assertEqual(websocket.raw.rest(), b"")

    def test_what_is_no_binary_message_ends_the_connection(self):
        rows = [("a text frame", wire.frame(wire.TEXT, wire.PINGREQ), 1003),  # [MQTT5-6.0.0-1] [MQTT311-6.0.0-1]
                ("no mask", b"\x82\x02" + wire.PINGREQ, 1002), ("a reserved bit", b"\xc2\x80\0\0\0\0", 1002),
                ("an unknown opcode", wire.frame(3, b"x"), 1002), ("a long ping", wire.frame(wire.PING, b"x" * 126), 1002),
                ("a fragmented ping", wire.frame(wire.PING, b"x", fin=False), 1002),
                ("a continuation of nothing", wire.frame(wire.CONTINUATION, b"x"), 1002),
                ("a bad close code", wire.frame(wire.CLOSE, b"\x03\xed"), 1002)]
        for name, bad, code in rows:
            with self.subTest(frame=name):
                websocket = self.websocket()
                self.connected(websocket)
                websocket.send_frames(bad)
                self.assertEqual(websocket.next_frame(), (0x80 | wire.CLOSE, code.to_bytes(2, "big")))
                self.assertEqual(websocket.raw.rest(), b"")

    def test_forwarded_for_is_believed_from_trusted_proxies(self):
        rows = [("web", "192.0.2.9", "192.0.2.9"), ("web", "198.51.100.1, 192.0.2.9", "192.0.2.9"),
                ("web", "198.51.100.1\r\nX-Forwarded-For: 192.0.2.9", "192.0.2.9"), ("web_tls", "192.0.2.9", "127.0.0.1")]
        for number, (listener, header, address) in enumerate(rows):
            client = self.connected(self.websocket(listener, X_Forwarded_For=header), f"fwd{number}")
            self.assertEqual(self.address_of(f"fwd{number}"), address, header)
            self.assertIn(f"fwd{number}", self.node.log_path.read_text())
            client.close()


class ProxyProtocol(Listeners):
    connect_timeout = "2s"
    SSL = wire.tlv(0x20, b"\x07\0\0\0\0" + wire.tlv(0x21, b"TLSv1.3") + wire.tlv(0x22, b"somebody"))

    def test_the_devices_address_is_in_sessions_and_logs(self):
        rows = [("v1", b"PROXY TCP4 192.0.2.7 127.0.0.1 12345 1883\r\n", "192.0.2.7"),
                ("v1-ipv6", b"PROXY TCP6 2001:DB8:0::9 ::1 12345 1883\r\n", "2001:db8::9"),
                ("v1-unknown", b"PROXY UNKNOWN\r\n", "127.0.0.1"), ("v2", wire.proxy_v2("192.0.2.8"), "192.0.2.8"),
                ("v2-ipv6", wire.proxy_v2("2001:db8::8"), "2001:db8::8"),
                ("v2-mapped", wire.proxy_v2("::ffff:192.0.2.3"), "192.0.2.3"),
                ("v2-tlvs", wire.proxy_v2("192.0.2.10", tlvs=wire.tlv(2, b"mqtt.example") + self.SSL), "192.0.2.10"),
                ("v2-unspec", wire.proxy_v2(), "127.0.0.1"),
                ("v2-local", wire.proxy_v2("192.0.2.11", command=0), "127.0.0.1")]
        for name, header, address in rows:
            with self.subTest(header=name):
                client = self.connected(self.tcp("balancer", header), f"proxy-{name}")
                self.assertEqual((self.address_of(f"proxy-{name}"), self.user_of(f"proxy-{name}")), (address, ""))
                wait_until(lambda: self.is_logged(f"proxy-{name}", address), 10, "its line in the log")
                client.send(wire.DISCONNECT)

    def is_logged(self, client_id, address):
        return any(client_id in line and address in line for line in self.node.log_path.read_text().splitlines())

    def test_a_balancer_on_this_machine_does_not_let_the_world_in(self):
        for header, reason in ((wire.proxy_v2("192.0.2.7"), NOT_AUTHORIZED), (wire.proxy_v2("127.0.0.2"), 0)):
            self.assertEqual(Wire(self.tcp("balancer_here", header)).connect(), reason)

    def test_a_health_check_leaves_no_line(self):
        before = self.node.log_path.read_text()
        for first in (b"", wire.proxy_v2(command=0), wire.proxy_v2()):
            self.tcp("balancer", first).close()
        self.connected(self.tcp("balancer", wire.proxy_v2()), "after-checks")
        wait_until(lambda: "after-checks" in self.node.log_path.read_text(), 10, "its line in the log")
        lines = self.node.log_path.read_text()[len(before):].splitlines()
        # What another test's client was refused, by another address, may be written late.
        self.assertEqual([line for line in lines if "refused" in line and "address=127.0.0.1" in line], [])

    def test_headers_that_are_not_taken(self):
        good = self.connected(self.tcp("balancer", wire.proxy_v2()), "beside")
        rows = [("none", wire.connect_packet("c")), ("a line too long", b"PROXY TCP4 " + b"1" * 97),
                ("no address", b"PROXY TCP4 x y 1 2\r\n"), ("another version", wire.V2_SIGNATURE + b"\x31"),
                ("a TLV that does not fit", wire.proxy_v2("192.0.2.8", tlvs=b"\x04\x00\x09x")),
                ("TLVs without end", wire.proxy_v2("192.0.2.8", tlvs=wire.tlv(4, bytes(5000)))),
                ("one that is cut", wire.proxy_v2("192.0.2.8")[:20]), ("a line that is cut", b"PROXY TCP4 192.0"),
                ("one that never comes", b"")]
        waiting = [(name, self.tcp("balancer", first)) for name, first in rows]
        for name, sock in waiting:
            with self.subTest(header=name):
                self.assertEqual(Wire(sock).rest(), b"")
        good.ping()

    def test_only_trusted_addresses_may_send_one(self):
        self.assertTrue(self.is_refused(self.tcp("balancer_elsewhere"), wire.proxy_v2("192.0.2.7")))
        wait_until(lambda: "not trusted" in self.node.log_path.read_text(), 10, "a line about it")


if __name__ == "__main__":
    harness.main()
