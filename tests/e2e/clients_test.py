"""Clients written by others, on every kind of listener, against three nodes: subscriber and publisher on different ones."""
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import harness
from paho_client import Client
from wire import Authority

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = ("3.1", "3.1.1", "5.0")
KINDS = ("mqtt", "mqtts", "ws", "wss")
NODE_JS = "/usr/bin/node"  # Debian's; PATH may hold another, which does not see Debian's modules


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="shoal-clients-")
        cls.authority = Authority(cls.directory)
        cert, key = cls.authority.issue("server")
        cls.cluster = harness.Cluster(3)
        cls.ports = []
        for node in cls.cluster.nodes:
            ports = {kind: harness.free_port() for kind in KINDS[1:]}
            node.options += ["--cert", cert, "--key", key]
            for kind, port in ports.items():
                node.options += [f"--{kind}", f"127.0.0.1:{port}"]
            cls.ports.append({"mqtt": node.mqtt_port, **ports})
        try:
            cls.cluster.__enter__()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()
        shutil.rmtree(cls.directory, ignore_errors=True)

    def each(self, kinds):
        """(kind of listener, version, subscriber's port, publisher's port): not always the same two nodes."""
        for number, (kind, version) in enumerate(itertools.product(kinds, VERSIONS)):
            yield kind, version, self.ports[number % 3][kind], self.ports[(number + 1) % 3][kind]

    def compiled(self, name, *libraries):
        program = pathlib.Path(self.directory) / name
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-O1", "-o", str(program), str(HERE / "clients" / f"{name}.c"),
                        *libraries], check=True, timeout=120)
        return str(program)

    def run_client(self, *command, **environment):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **environment},
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_paho_in_c(self):
        program = self.compiled("paho", "-lpaho-mqtt3cs")
        schemes = {"mqtt": "tcp", "mqtts": "ssl", "ws": "ws", "wss": "wss"}
        for kind, version, subscriber, publisher in self.each(KINDS):
            urls = [f"{schemes[kind]}://localhost:{port}" for port in (subscriber, publisher)]
            with self.subTest(kind=kind, version=version):
                self.run_client(program, version, *urls, self.authority.cert, f"paho-c/{kind}/{version}")

    def test_mosquitto_library(self):
        program = self.compiled("mosquitto", "-lmosquitto")
        for kind, version, subscriber, publisher in self.each(KINDS[:2]):
            ca = self.authority.cert if kind == "mqtts" else ""
            with self.subTest(kind=kind, version=version):
                self.run_client(program, version, str(subscriber), str(publisher), ca, f"mosquitto/{kind}/{version}")

    def test_mqtt_js(self):
        for kind, version, subscriber, publisher in self.each(KINDS):
            urls = [f"{kind}://localhost:{port}" for port in (subscriber, publisher)]
            ca = self.authority.cert if kind in ("mqtts", "wss") else ""
            with self.subTest(kind=kind, version=version):
                self.run_client(NODE_JS, str(HERE / "clients" / "mqtt.js"), version, *urls, ca,
                                f"mqtt-js/{kind}/{version}", NODE_PATH="/usr/share/nodejs")

    def test_paho_in_python(self):
        for kind, version, subscriber, publisher in self.each(KINDS):
            with self.subTest(kind=kind, version=version):
                self.cross_in_python(kind, version, subscriber, publisher)

    def cross_in_python(self, kind, version, subscriber_port, publisher_port):
        how = {"transport": "websockets" if kind in ("ws", "wss") else "tcp",
               "tls": {"ca_certs": self.authority.cert} if kind in ("mqtts", "wss") else None}
        topic = f"paho-py/{kind}/{version}"
        will = {"topic": f"{topic}/will", "payload": "gone", "qos": 1}
        subscriber = Client(subscriber_port, f"py-sub-{kind}-{version}", version, **how)
        publisher = Client(publisher_port, f"py-pub-{kind}-{version}", version, will=will, **how)
        for qos in (0, 1, 2):
            self.assertEqual(subscriber.subscribe(f"{topic}/{qos}", qos), [qos])
            for i in range(5):
                publisher.publish(f"{topic}/{qos}", f"{qos}-{i}", qos)
                self.assertEqual(subscriber.expect(f"{qos}-{i}")[2:4], (qos, False))
        publisher.publish(f"{topic}/kept", "kept", 1, retain=True)
        subscriber.subscribe(f"{topic}/+", 1)
        self.assertEqual(subscriber.expect("kept")[2:4], (1, True))
        publisher.publish(f"{topic}/kept", "", 1, retain=True)
        publisher.drop()
        subscriber.expect("gone")
        subscriber.close()


if __name__ == "__main__":
    harness.main()
