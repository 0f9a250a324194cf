"""The brokers that `./dev bench` measures: each is started on free ports of loopback, told by its name, and ended by its pid.

A peer is given as NAME=COMMAND. In COMMAND `{port}` is the port of MQTT, `{dir}` a fresh folder, and `{conf}` a file there
with what CONFIGURATIONS has for NAME.
"""
import http.client
import json
import shlex
import shutil
import socket
import subprocess
import sys
import time

from loopback import SHOAL, STOP_S, Failure, prepare_child
from pieces import ROOT

sys.path.insert(0, str(ROOT / "tests/e2e"))
from harness import free_port  # noqa: E402 pylint: disable=wrong-import-position

FLOOR = ROOT / "build/release/floor"
START_S = 30
CONFIGURATIONS = {
    "mosquitto": "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\nset_tcp_nodelay true\n"
                 "persistence false\nlog_type error\n",
    "flashmq": "allow_anonymous true\nlog_level error\nlisten {{\n  protocol mqtt\n  inet4_bind_address 127.0.0.1\n"
               "  port {port}\n}}\n",
}
TLS_OF_MOSQUITTO = "listener {tls_port} 127.0.0.1\ncertfile {dir}/server.crt\nkeyfile {dir}/server.key\n"


def make_certificate(folder):
    """server.crt (also its own authority) and server.key."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                    "-keyout", "server.key", "-out", "server.crt"], cwd=folder, check=True, capture_output=True)
    for name in ("server.key", "server.crt"):  # mosquitto reads them as a user of its own
        (folder / name).chmod(0o644)


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Broker:
    """One broker: one process, or with Shoal's cluster one a node. `with Broker(...)` runs it."""

    def __init__(self, name, template=None):
        self.name = name
        self.template = template
        self.processes = []
        self.ports = []      # of MQTT, one a node
        self.tls_port = None
        self.folder = None

    def __enter__(self):
        self.folder = ROOT / "build/bench" / f"{self.name}-{free_port()}"
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o777)
        try:
            self.start()
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        for process in self.processes:
            process.terminate()
        end = time.monotonic() + STOP_S
        for process in self.processes:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        self.ports, self.tls_port = [free_port()], free_port()
        values = {"port": self.ports[0], "tls_port": self.tls_port, "dir": self.folder, "conf": self.folder / "conf"}
        text = CONFIGURATIONS.get(self.name.split("-")[0], "")
        if self.has_tls():
            make_certificate(self.folder)
            text += TLS_OF_MOSQUITTO
        (self.folder / "conf").write_text(text.format(**values))
        self.run(*shlex.split(self.template.format(**values)))

    def has_tls(self):
        return self.name.split("-")[0] == "mosquitto"

    def run(self, *command):
        with open(self.folder / "log", "ab") as log:
            self.processes.append(subprocess.Popen(
                [str(word) for word in command], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=prepare_child))

    def wait_until_ready(self):
        end = time.monotonic() + START_S
        while not all(self.is_ready(port) for port in self.ports):
            ended = [p for p in self.processes if p.poll() is not None]
            if ended or time.monotonic() > end:
                words = (self.folder / "log").read_text(errors="replace")[-1000:]
                raise Failure(f"{self.name} did not start:\n{words}")
            time.sleep(0.1)

    def is_ready(self, port):
        return accepts(port)

    def pids(self):
        return [process.pid for process in self.processes]

    def endpoints(self):
        return [f"127.0.0.1:{port}" for port in self.ports]


class Floor(Broker):
    def __init__(self):
        super().__init__("floor", f"{FLOOR} {{port}}")

    def has_tls(self):
        return False


class Shoal(Broker):
    def __init__(self, nodes=1, options=(), name="shoal"):
        super().__init__(name)
        self.nodes = nodes
        self.options = options
        self.admin_ports = []

    def has_tls(self):
        return self.nodes == 1

    def start(self):
        self.ports = [free_port() for _ in range(self.nodes)]
        self.admin_ports = [free_port() for _ in range(self.nodes)]
        peers = [f"127.0.0.1:{free_port()}" for _ in range(self.nodes)]
        more = list(self.options)
        if self.nodes > 1:
            more += ["--join", ",".join(peers), "--expect", self.nodes]
        else:
            make_certificate(self.folder)
            self.tls_port = free_port()
            more += ["--mqtts", f"127.0.0.1:{self.tls_port}", "--cert", self.folder / "server.crt",
                     "--key", self.folder / "server.key"]
        for n, (port, peer, admin) in enumerate(zip(self.ports, peers, self.admin_ports), 1):
            self.run(SHOAL, "serve", "--node-name", f"n{n}", "--data-dir", self.folder / f"n{n}",
                     "--mqtt", f"127.0.0.1:{port}", "--peer", peer, "--admin", f"127.0.0.1:{admin}",
                     "--log-level", "warning", *more)

    def is_ready(self, port):
        return is_admin_ready(self.admin_ports[self.ports.index(port)])


def is_admin_ready(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def load(broker, row, seconds):
    """One run of `shoal bench` against a broker; its result, or a Failure with its words."""
    command = [SHOAL, "bench", row.pattern, "--json", "--quiet", "--pid", ",".join(map(str, broker.pids())),
               "--warm-up", "1s", "--duration", f"{seconds}s"]
    if row.tls:
        command += ["-e", f"127.0.0.1:{broker.tls_port}", "--cafile", broker.folder / "server.crt"]
    elif len(broker.ports) > 1:
        command += ["--publish-to", broker.endpoints()[0], "--subscribe-from", broker.endpoints()[1]]
    else:
        command += ["-e", broker.endpoints()[0]]
    command = [str(word) for word in command + row.options.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0 or not done.stdout:
        raise Failure(f"{broker.name}, {' '.join(command[1:])}: status {done.returncode}: {done.stderr}{done.stdout}")
    return json.loads(done.stdout)
