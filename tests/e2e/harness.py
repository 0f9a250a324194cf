"""Real nodes for end-to-end tests: processes of build/release/shoal on loopback, each with a data directory of its own.

Everything that is started here is ended here, by its pid, also when a test fails. A test file ends with `harness.main()`,
which runs its unittest cases and closes with the line that counts.
"""
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOAL = os.environ.get("SHOAL_BINARY", str(ROOT / "build" / "release" / "shoal"))

_taken = set()


def free_port():
    """A port of loopback that nobody uses now and that is not handed out twice in this process."""
    while True:
        port = random.randint(20000, 32000)  # below the ports that the kernel gives to clients
        if port in _taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _taken.add(port)
        return port


def wait_until(condition, timeout_s=10, what="condition", every_s=0.05):
    """The first true value of condition(); an AssertionError that names `what` when time runs out."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(every_s)


class Node:
    login, tls = (), None  # of clients: user and password, a context of TLS

    def __init__(self, directory, name, join=(), expect=None, options=(), host="127.0.0.1"):
        self.name, self.host = name, host
        self.directory = pathlib.Path(directory) / name
        self.mqtt_port, self.proxy_port = free_port(), free_port()
        self.peer_port, self.admin_port = free_port(), free_port()
        self.join, self.expect, self.options = list(join), expect, list(options)
        self.process = None
        self.log_path = pathlib.Path(directory) / f"{name}.log"

    def command(self):
        command = [SHOAL, "serve", "--node-name", self.name, "--data-dir", str(self.directory),
                   "--mqtt", f"{self.host}:{self.mqtt_port}", "--mqtt-proxy", f"{self.host}:{self.proxy_port}",
                   "--peer", f"{self.host}:{self.peer_port}", "--admin", f"{self.host}:{self.admin_port}",
                   "--workers", "2"]
        if self.join:
            command += ["--join", ",".join(self.join), "--expect", str(self.expect)]
        return command + self.options

    def environment(self):
        """What it has besides this process's own."""
        return {}

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), env={**os.environ, **self.environment()},
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def get(self, path, timeout_s=2):
        """(status, body) of the admin address; (0, reason) when nobody answers."""
        connection = http.client.HTTPConnection(self.host, self.admin_port, timeout=timeout_s)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError as error:
            return 0, str(error)
        finally:
            connection.close()

    def is_ready(self):
        return self.get("/readyz")[0] == 200

    def wait_ready(self, timeout_s=15):
        try:
            wait_until(lambda: self.is_ready() or self.process.poll() is not None, timeout_s, "ready")
        except AssertionError as late:
            raise AssertionError(f"{self.name}: {late}: {self.get('/readyz')[1].strip()}; log: {self.tail()}") from None
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name}: ended with {self.process.returncode}; log: {self.tail()}")

    def metric(self, name, **labels):
        """The sum of a metric's samples that carry all of `labels`."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            if not line.startswith(name) or line[len(name)] not in "{ ":
                continue
            if all(f'{key}="{value}"' in line for key, value in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def ctl(self, *words):
        return json.loads(self.ctl_text("--json", *words))

    def ctl_text(self, *words, check=True):
        done = subprocess.run([SHOAL, "ctl", "--data-dir", str(self.directory), *words],
                              capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"ctl {words}: exit {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout + (done.stderr if not check else "")

    def signal(self, number):
        os.kill(self.process.pid, number)

    def freeze(self):
        """Returns when every thread stands still, which is a while after the signal was sent."""
        self.signal(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        wait_until(lambda: all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks.iterdir()),
                   5, f"{self.name} stands still")

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def stop(self, timeout_s=10):
        """SIGTERM; the exit status, or None if it did not end in time."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def tail(self, lines=5):
        if not self.log_path.exists():
            return "no log"
        return " | ".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])


class Cluster:
    """Nodes that know each other by --join; `with Cluster(3) as nodes:`."""

    def __init__(self, count=3, options=()):
        self.directory = tempfile.mkdtemp(prefix="shoal-e2e-")
        self.nodes = [Node(self.directory, f"n{i + 1}", options=options) for i in range(count)]
        if count > 1:
            seeds = [f"127.0.0.1:{node.peer_port}" for node in self.nodes]
            for node in self.nodes:
                node.join, node.expect = seeds, count

    def __enter__(self):
        for node in self.nodes:
            node.start()
        try:
            for node in self.nodes:
                node.wait_ready()
        except BaseException:
            self.close()
            raise
        return self.nodes

    def __exit__(self, *unused):
        self.close()

    def close(self):
        for node in self.nodes:
            with contextlib.suppress(ProcessLookupError, AttributeError):
                node.signal(signal.SIGCONT)
            node.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


HAPROXY = """
global
  maxconn 4000
defaults
  mode tcp
  timeout connect 2s
  timeout client 1h
  timeout server 1h
frontend mqtt
  bind 127.0.0.1:{port}
  default_backend nodes
backend nodes
  balance leastconn
  retries 3
  option redispatch 1
  option httpchk GET /readyz
  default-server inter {interval} fall 2 rise 1 on-marked-down shutdown-sessions send-proxy-v2
{servers}
"""


@contextlib.contextmanager
def balancer(nodes, interval="500ms"):
    """Debian's HAProxy in front of the nodes, PROXY protocol v2 to them, looking at each every `interval`; gives its port."""
    port = free_port()
    servers = "\n".join(f"  server {n.name} 127.0.0.1:{n.proxy_port} check port {n.admin_port}" for n in nodes)
    with tempfile.TemporaryDirectory(prefix="shoal-haproxy-") as directory:
        config = pathlib.Path(directory) / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=port, servers=servers, interval=interval))
        process = subprocess.Popen(["haproxy", "-db", "-q", "-f", str(config)], stdin=subprocess.DEVNULL)
        try:
            wait_until(lambda: can_connect(port), 10, "the balancer listens")
            yield port
        finally:
            process.terminate()
            process.wait()


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def raw_connect(port, client_id):
    """A connected MQTT 5.0 client as a bare socket: Paho does not tell the reason of a short DISCONNECT."""
    name = client_id.encode()
    body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + len(name).to_bytes(2, "big") + name
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    sock.sendall(bytes([0x10, len(body)]) + body)
    answer = sock.recv(4096)
    if answer[0] != 0x20 or answer[3] != 0:
        raise AssertionError(f"CONNACK: {answer.hex()}")
    return sock


def raw_disconnect_reason(sock):
    """Reads until the broker closes; the Reason Code of its DISCONNECT, or None."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(4096):
            received += part
    sock.close()
    return received[2] if received[:1] == b"\xe0" and len(received) > 2 else None


def main():
    if not os.access(SHOAL, os.X_OK):
        sys.exit(f"no broker at {SHOAL}: build it first (./dev build)")
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    if len(sys.argv) > 1:
        suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:], sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    failed = len(result.failures) + len(result.errors)
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    skipped = f", {len(result.skipped)} skipped" if result.skipped else ""
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed{skipped}")
    sys.exit(1 if failed else 0)
