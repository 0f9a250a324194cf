"""`./dev up`: three nodes behind HAProxy on loopback, a message crossing the cluster, until Ctrl-C. Leaves nothing running."""
import signal
import socket
import subprocess
import sys
import time

import loopback
from loopback import SHOAL, Failure, Loopback, local, port

BALANCER_PORT = 1883
TABLE_EVERY_S = 2

HAPROXY = """\
global
  stats socket {folder}/haproxy.sock mode 600
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
  option httpchk GET /readyz
  default-server check inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions send-proxy-v2
{servers}
"""


class Balancer:
    """Debian's HAProxy in front of the nodes, and what it tells of them."""

    def __init__(self, here):
        self.socket = here.folder / "haproxy.sock"
        servers = "\n".join(f"  server n{n} {local(n, 'proxy')} port {port(n, 'admin')}" for n in here.nodes)
        config = here.folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(folder=here.folder, port=BALANCER_PORT, servers=servers))
        here.start("haproxy", ["/usr/sbin/haproxy", "-db", "-q", "-f", config])
        here.wait_for("the balancer sees the nodes", lambda: self.is_up(len(here.nodes)))

    def stat(self, column):
        """node's name -> a column of the balancer's table of its servers."""
        with socket.socket(socket.AF_UNIX) as stats:
            try:
                stats.connect(str(self.socket))
                stats.sendall(b"show stat\n")
                text = b"".join(iter(lambda: stats.recv(65536), b"")).decode()
            except OSError:
                return {}
        header, *rows = [line.split(",") for line in text.splitlines() if line]
        return {row[1]: row[header.index(column)] for row in rows if row[0] == "nodes" and row[1] != "BACKEND"}

    def is_up(self, count):
        status = self.stat("status")
        return len(status) == count and all(s.startswith("UP") for s in status.values())

    def connections(self):
        return self.stat("stot")

    def newcomer(self, before):
        """The node that was given the connection that came since `before`."""
        now = self.connections()
        return next((name for name in now if now[name] != before.get(name)), None)


def client(*words):
    return [str(SHOAL), words[0], "-h", "127.0.0.1", "-p", str(BALANCER_PORT), *words[1:]]


def publish(balancer, text):
    """Through the balancer; the node that was given the publisher."""
    before = balancer.connections()
    subprocess.run(client("pub", "-q", "1", "-t", "demo/hello", "-m", text), check=True, timeout=30)
    return balancer.newcomer(before)


def show_crossing(here, balancer):
    """Publishes through the balancer to a subscriber that it put on another node."""
    text = "hello from the other side"
    before = balancer.connections()
    subscriber = subprocess.Popen(client("sub", "-t", "demo/#", "-q", "1", "-C", "1", "-W", "30", "-v"),
                                  stdout=subprocess.PIPE, text=True, start_new_session=True,
                                  preexec_fn=loopback.prepare_child)
    try:
        here.wait_for("the subscriber is connected", lambda: balancer.newcomer(before))
        there, sent_on = balancer.newcomer(before), None
        while subscriber.poll() is None:  # once more, where the message was faster than the subscription
            sent_on = publish(balancer, text)
            time.sleep(0.3)
        arrived = subscriber.communicate()[0].strip()
    finally:
        subscriber.kill()
    if arrived != f"demo/hello {text}" or sent_on == there:
        raise Failure(f"no message crossed: subscribed on {there}, published on {sent_on}, arrived: '{arrived}'")
    here.say(f"shoal sub connected to port {BALANCER_PORT}: the balancer gave it to {there}")
    here.say(f"shoal pub connected to port {BALANCER_PORT}: the balancer gave it to {sent_on}")
    here.say(f"the subscriber on {there} received: {arrived}")


def table(here):
    """What a living node knows of all of them."""
    for n in here.nodes:
        if f"n{n}" in here.processes:
            done = subprocess.run([str(SHOAL), "ctl", "--data-dir", str(here.data_dir(n)), "members"],
                                  capture_output=True, text=True, timeout=10, check=False)
            if done.returncode == 0:
                return done.stdout.rstrip()
    return "no node answers"


def say_who_is_gone(here):
    gone = [name for name, process in here.processes.items() if process.poll() is not None]
    for name in gone:
        here.say(f"{name} is gone (status {here.processes.pop(name).returncode}); the others carry on")
    if not any(f"n{n}" in here.processes for n in here.nodes):
        raise Failure("no node is left")
    return bool(gone)


def watch(here):
    """Until the user has enough: the table of the nodes, on a terminal kept up to date in its place."""
    on_terminal = sys.stdout.isatty()
    here.say(f"MQTT for you on 127.0.0.1:{BALANCER_PORT}; on the nodes themselves "
             + ", ".join(f"n{n} {local(n, 'mqtt')}" for n in here.nodes))
    here.say("logs and data in build/up; Ctrl-C stops it all")
    shown = table(here)
    print(shown, flush=True)
    while True:
        time.sleep(TABLE_EVERY_S)
        moved = say_who_is_gone(here)
        now = table(here)
        if now != shown and (on_terminal or moved):
            if not moved:
                print(f"\033[{shown.count(chr(10)) + 1}A\033[J", end="")
            print(now, flush=True)
            shown = now


def run():
    with Loopback("up", 3, [BALANCER_PORT]) as here:
        try:
            here.say("starting three nodes")
            here.start_nodes()
            here.say("they found each other; starting the balancer")
            balancer = Balancer(here)
            show_crossing(here, balancer)
            watch(here)
        finally:
            here.say("stopping")


def interrupted(*unused):
    raise KeyboardInterrupt


def main():
    # SIGINT too: a shell starts what it puts into the background with it ignored.
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        run()
        return 0
    except Failure as failure:
        print(f"up: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("up: stopped; nothing is left running")
        return 0


if __name__ == "__main__":
    sys.exit(main())
