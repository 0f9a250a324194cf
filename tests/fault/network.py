"""The network of the run: each node in a network namespace of its own, on one bridge, with the devices beside it. A packet
filter in a node's namespace loses what it is told to; what is to be late goes by a wire of ours instead (wires.py).

All of it is inside the network namespace of the run (ground.py) and ends with it.
"""
import re
import subprocess

BRIDGE = "fault0"
DEVICES = "10.88.0.254"  # where the clients are
BOTH, OUT, IN = ("in", "out"), ("out",), ("in",)


def run(*command, text=None):
    return subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.PIPE, timeout=30).stdout


def address_of(number):
    return f"10.88.0.{number}"


def inside(name, *command):
    """The command, in the namespace of the node."""
    return ["nsenter", f"--net=/run/netns/{name}", *command]


def open_network(names):
    """The namespaces n1, n2, ... with the addresses address_of(1), ..."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")  # in the run's own mount namespace: `ip netns` keeps its names there
    lines = ["link set lo up", f"link add {BRIDGE} type bridge", f"addr add {DEVICES}/24 dev {BRIDGE}",
             f"link set {BRIDGE} up"]
    for name in names:
        run("ip", "netns", "add", name)
        lines += [f"link add to-{name} type veth peer name eth0 netns {name}",
                  f"link set to-{name} master {BRIDGE}", f"link set to-{name} up"]
    run("ip", "-batch", "-", text="\n".join(lines))
    for number, name in enumerate(names, 1):
        run("ip", "-n", name, "-batch", "-", text="\n".join((
            "link set lo up", f"addr add {address_of(number)}/24 dev eth0", "link set eth0 up")))
    run(*inside(names[0], "nft", "list", "ruleset"))


class Filter:
    """What a node's namespace loses: rules by direction, as nft has them."""
    RESETS = "tcp flags & rst == rst accept"

    def __init__(self, node):
        self.node = node

    def set(self, **rules):
        """`rules` has lists of those for `input` and `output`; what was there before is gone."""
        chains = "".join(f"chain {hook} {{ type filter hook {hook} priority 0; {'; '.join(lines)}; }}\n"
                         for hook, lines in rules.items())
        run(*inside(self.node.name, "nft", "-f", "-"),
            text=f"table inet fault\ndelete table inet fault\ntable inet fault {{\n{chains}}}\n")

    def heal(self):
        """How many packets it held up."""
        counted = run(*inside(self.node.name, "nft", "list", "table", "inet", "fault"))
        self.set()
        return sum(map(int, re.findall(r"counter packets (\d+)", counted)))

    @staticmethod
    def rules(directions, peers, verdict, before=()):
        """For all that comes from (in), goes to (out) these addresses."""
        peers = f"{{ {', '.join(peers)} }}"
        found = {}
        if "in" in directions:
            found["input"] = [*before, f"ip saddr {peers} counter {verdict}"]
        if "out" in directions:
            found["output"] = [*before, f"ip daddr {peers} counter {verdict}"]
        return found

    def cut(self, peers, directions=BOTH):
        """Nothing gets through, and nobody is told."""
        self.set(**self.rules(directions, [peer.host for peer in peers], "drop"))

    def reset(self, peers):
        """Connections break at once, and new ones are refused."""
        self.set(**self.rules(BOTH, [peer.host for peer in peers], "reject with tcp reset", [self.RESETS]))

    def cut_devices(self):
        """No client is heard or reached; the admin address is."""
        port = self.node.mqtt_port
        self.set(input=[f"ip saddr {DEVICES} tcp dport {port} counter drop"],
                 output=[f"ip daddr {DEVICES} tcp sport {port} counter drop"])

    def lose(self, percent):
        """Of all packets, of peers and of clients, in both directions."""
        rule = f"numgen random mod 1000 < {percent * 10:.0f} counter drop"
        self.set(input=[f"iif != lo {rule}"], output=[f"oif != lo {rule}"])
