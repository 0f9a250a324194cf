"""What `./dev bench` measures, and what is wanted of it.

A row's figure is CPU time (user and system, all processes of the broker) a delivered message in microseconds, or bytes of
resident memory a connection. A target is a multiple of the floor, measured in the same run, since that holds on any machine.
The floor speaks no TLS and is no cluster: there it is the floor of the row that `floor_of` names. For memory the target is
the figure itself.
"""
import dataclasses


@dataclasses.dataclass
class Row:
    key: str
    title: str
    pattern: str
    options: str = ""
    multiple: float = 0      # wanted: at most so many times the floor
    absolute: float = 0      # wanted: at most this figure
    figure: str = "cpu_us_each"
    tls: bool = False
    nodes: int = 1
    p99_us: float = 0        # wanted: at most
    floor_of: str = ""       # the row whose floor counts, if not its own
    settle_s: float = 0      # from the brokers' readiness to the load

    @property
    def floor_key(self):
        return self.floor_of or self.key

    @property
    def is_memory(self):
        return self.figure != "cpu_us_each"

    @property
    def unit(self):
        return "bytes" if self.is_memory else "us"

    def value_of(self, result):
        """A node's share, where the figure is of all processes."""
        return result[self.figure] / (self.nodes if self.figure == "rss_bytes" else 1)

    def is_met(self, value, floor):
        if self.absolute:
            return value <= self.absolute
        return value <= self.multiple * floor

    def wanted(self):
        return f"{self.absolute:,.10g} {self.unit}" if self.absolute else f"{self.multiple:g}x"


def pairs(key, title, options, multiple, **more):
    return Row(key, title, "pairs", f"--publishers 100 {options}", multiple, **more)


def connections(key, title, options, absolute, count, **more):
    return Row(key, title, "idle", f"--clients {count} {options}", absolute=absolute, figure="bytes_per_connection",
               **more)


def one_node(count):
    """Rows of a single broker; `count` connections where memory is measured."""
    return [
        pairs("pairs-qos0", "100 pairs, QoS 0, 16 B, window 20", "-q 0", 1.95),
        pairs("pairs-one", "100 pairs, QoS 0, 16 B, one message in flight", "-q 0 --window 1", 1.1),
        pairs("pairs-qos1", "100 pairs, QoS 1, 16 B, window 20", "-q 1", 1.8),
        pairs("pairs-qos2", "100 pairs, QoS 2, 16 B, window 20", "-q 2", 1.8),
        pairs("pairs-1k", "100 pairs, QoS 0, 1 KiB, window 20", "-q 0 --size 1024", 2.1),
        Row("fan-out-qos0", "1 publisher to 1,000, QoS 0", "fan-out", "--subscribers 1000 -q 0", 1.65),
        Row("fan-out-qos1", "1 publisher to 1,000, QoS 1", "fan-out", "--subscribers 1000 -q 1", 1.65),
        Row("shared", "100 publishers to a shared group of 5, QoS 1", "shared", "--publishers 100 --subscribers 5 -q 1",
            2.25),
        pairs("filters", "98,000 wildcard filters, 9,800 topics, one message in flight",
              "--topics 98 --filters 980 -q 0 --window 1", 1.1),
        pairs("paced-qos0", "20,000 messages/s, 100 pairs, QoS 0", "-q 0 --rate 20000", 1.15, p99_us=2000),
        pairs("paced-qos1", "20,000 messages/s, 100 pairs, QoS 1", "-q 1 --rate 20000", 1.1, p99_us=2000),
        Row("connect", "CONNECT and DISCONNECT", "connect", "--connecting 10", 1.05),
        Row("connect-tls", "TLS connect", "connect", "--connecting 10", 7.4, tls=True, floor_of="connect"),
        connections("idle", "idle connection", "", 1000, count),
        connections("subscribed", "connection with one subscription", "--subscribed", 1800, count),
        connections("idle-tls", "idle TLS connection", "", 16000, min(count, 4000), tls=True),  # handshakes take their time
    ]


def three_nodes():
    """Publishers on one node, subscribers on another."""
    return [
        pairs("cluster-qos0", "three nodes, 100 pairs, QoS 0, 64 B, window 20", "-q 0 --size 64", 8.3, nodes=3,
              floor_of="pairs-qos0"),
        pairs("cluster-qos1", "three nodes, 100 pairs, QoS 1, 64 B, window 20", "-q 1 --size 64", 8.8, nodes=3,
              floor_of="pairs-qos1"),
        pairs("cluster-paced-qos0", "three nodes, 20,000 messages/s, QoS 0, 64 B", "-q 0 --size 64 --rate 20000", 2.3,
              nodes=3, p99_us=3000, floor_of="paced-qos0"),
        pairs("cluster-paced-qos1", "three nodes, 20,000 messages/s, QoS 1, 64 B", "-q 1 --size 64 --rate 20000", 2.3,
              nodes=3, p99_us=3000, floor_of="paced-qos1"),
        Row("cluster-one", "three nodes, 1 pair, QoS 0, 16 B, window 2000", "pairs", "--publishers 1 --window 2000 -q 0",
            8.3, nodes=3, floor_of="pairs-qos0"),
        # What only the start needed, a node gives back ten seconds after it.
        Row("cluster-idle", "idle node of a cluster of three, RSS", "idle", "--clients 1", absolute=30 * 1024 * 1024,
            figure="rss_bytes", nodes=3, settle_s=15),
    ]
