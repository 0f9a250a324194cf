"""Real nodes on loopback, on the ports that are fixed for `./dev up`; `./dev bench` uses them too."""
import ctypes
import http.client
import resource
import shutil
import signal
import subprocess
import time

import ports
from pieces import ROOT

SHOAL = ROOT / "build/release/shoal"
START_S = 30
STOP_S = 9  # a node is gone within 8 s of SIGTERM
PORTS = {"mqtt": 1883, "proxy": 2883, "peer": 7883, "admin": 9883}  # of node n: 10000 * n more


class Failure(Exception):
    """Ends the command with one clear line."""


def port(node, kind):
    return 10000 * node + PORTS[kind]


def local(node, kind):
    return f"127.0.0.1:{port(node, kind)}"


def is_ready(node):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port(node, "admin"), timeout=1)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def prepare_child():
    """Runs in a child before its program."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it does not outlive this script, however that ends
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Loopback:
    """Processes with their logs and data in one folder below build/, made anew; `with Loopback(...) as here:`."""

    def __init__(self, name, count, more_ports=()):
        self.name = name
        self.folder = ROOT / "build" / name
        self.nodes = range(1, count + 1)
        self.processes = {}
        self.ports = list(more_ports) + [port(n, kind) for n in self.nodes for kind in PORTS]

    def say(self, text):
        print(f"{self.name}: {text}", flush=True)

    def __enter__(self):
        busy = ports.taken(self.ports)
        for number, owner in busy:
            self.say(f"port {number} is taken by {owner}")
        if busy:
            raise Failure("stop what holds these ports, then try again")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return self

    def __exit__(self, *unused):
        """SIGTERM to all, SIGKILL to who is not gone in time."""
        ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        end = time.monotonic() + STOP_S
        for name, process in self.processes.items():
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{name} did not stop within {STOP_S} s: killed")
                process.kill()
                process.wait()
        signal.signal(signal.SIGINT, ignored)

    def start(self, name, command):
        with open(self.folder / f"{name}.log", "ab") as log:
            # A session of its own: Ctrl-C at the terminal is for this script, which stops them in order.
            self.processes[name] = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=prepare_child)

    def start_nodes(self, *options):
        for n in self.nodes:
            join = ["--join", ",".join(local(m, "peer") for m in self.nodes), "--expect", len(self.nodes)]
            self.start(f"n{n}", [SHOAL, "serve", "--node-name", f"n{n}", "--data-dir", self.data_dir(n),
                                 "--mqtt", local(n, "mqtt"), "--mqtt-proxy", local(n, "proxy"),
                                 "--peer", local(n, "peer"), "--admin", local(n, "admin"),
                                 *(join if len(self.nodes) > 1 else []), *options])
        self.wait_for(f"{len(self.nodes)} nodes are ready", lambda: all(is_ready(n) for n in self.nodes))

    def data_dir(self, node):
        return self.folder / f"n{node}"

    def pids(self):
        return [process.pid for process in self.processes.values()]

    def tail(self, name):
        lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-5:]
        return "\n".join(f"    {line}" for line in lines)

    def wait_for(self, what, condition, timeout_s=START_S):
        """Waits until condition() is true; a process that ends meanwhile ends the wait with its last words."""
        end = time.monotonic() + timeout_s
        while not condition():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise Failure(f"{name} ended with status {process.returncode}:\n{self.tail(name)}")
            if time.monotonic() > end:
                raise Failure(f"not within {timeout_s} s: {what}; the logs are in build/{self.name}")
            time.sleep(0.1)
