"""The network between nodes: a relay in front of each node's peer port, so that a node can be cut off.

A node is known to others by its relay's address (--peer-advertise). Who dialled is found by the socket's owner in /proc.
"""
import asyncio
import os

HOLD, RESET = "hold", "reset"


def inode_of(port, peer_port):
    """Of the loopback socket that is bound to `port` and connected to `peer_port`."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as lines:
            for line in lines:
                fields = line.split()
                if fields[1].endswith(f":{port:04X}") and fields[2].endswith(f":{peer_port:04X}"):
                    return fields[9]
    return None


def owns(pid, inode):
    folder = f"/proc/{pid}/fd"
    try:
        for name in os.listdir(folder):
            try:
                if os.readlink(f"{folder}/{name}") == f"socket:[{inode}]":
                    return True
            except OSError:  # closed meanwhile
                continue
    except OSError:  # ended meanwhile
        pass
    return False


class Half(asyncio.Protocol):
    """One of the two connections of a pair."""

    def __init__(self, pair):
        self.pair, self.other, self.transport, self.early = pair, None, None, []

    def connection_made(self, transport):
        self.transport = transport
        self.pair.on_half(self)

    def data_received(self, data):
        if self.other:
            self.other.transport.write(data)
        else:
            self.early.append(data)

    def pause_writing(self):
        if self.other:
            self.other.transport.pause_reading()

    def resume_writing(self):
        if self.other and not self.pair.held:
            self.other.transport.resume_reading()

    def connection_lost(self, _):
        self.pair.end()


class Pair:
    """A connection of one node to another, through the relay."""

    def __init__(self, network, target):
        self.network, self.target, self.source = network, target, None
        self.near, self.far, self.held, self.over = None, None, False, False

    def on_half(self, half):
        if self.near is None:
            self.near = half
            self.source = self.network.owner_of(half.transport)
            self.network.pairs.add(self)
            if not self.network.is_cut(self):
                self.dial()
            elif self.network.mode == RESET:
                self.end()
            else:
                self.hold()

    def dial(self):
        asyncio.ensure_future(self.dial_far())

    async def dial_far(self):
        try:
            half = Half(self)
            await asyncio.get_running_loop().create_connection(lambda: half, "127.0.0.1", self.target.peer_port)
        except OSError:
            return self.end()
        self.far, half.other = half, self.near
        self.near.other = half
        if self.over:
            half.transport.abort()
        half.transport.writelines(self.near.early)
        if self.held:
            self.hold()

    def hold(self):
        self.held = True
        for half in (self.near, self.far):
            if half and half.transport.is_reading():
                half.transport.pause_reading()

    def release(self):
        self.held = False
        for half in (self.near, self.far):
            if half and not half.transport.is_closing() and not half.transport.is_reading():
                half.transport.resume_reading()
        if not self.far:
            self.dial()

    def end(self):
        if not self.over:
            self.over = True
            self.network.pairs.discard(self)
            for half in (self.near, self.far):
                if half:
                    half.transport.abort()


class Network:
    def __init__(self, nodes):
        self.nodes, self.pairs, self.servers = nodes, set(), []
        self.alone, self.mode = None, None
        self.strangers = 0

    async def open(self, ports):
        """One relay for each node, on the port that goes with it."""
        loop = asyncio.get_running_loop()
        for node, port in zip(self.nodes, ports):
            make = lambda node=node: Half(Pair(self, node))
            self.servers.append(await loop.create_server(make, "127.0.0.1", port))

    def owner_of(self, transport):
        inode = inode_of(transport.get_extra_info("peername")[1], transport.get_extra_info("sockname")[1])
        for node in self.nodes:
            if inode and node.process and owns(node.process.pid, inode):
                return node
        self.strangers += 1
        return None

    def is_cut(self, pair):
        return self.alone is not None and self.alone in (pair.source, pair.target)

    def cut(self, node, mode):
        """Nothing goes between `node` and the others; HOLD keeps the connections, RESET breaks them and all new ones."""
        self.alone, self.mode = node, mode
        for pair in [pair for pair in self.pairs if self.is_cut(pair)]:
            pair.hold() if mode == HOLD else pair.end()

    def heal(self, keep):
        """What was held goes on, or (without `keep`) is reset."""
        held = [pair for pair in self.pairs if self.is_cut(pair)]
        self.alone = None
        for pair in held:
            pair.release() if keep else pair.end()

    def close(self):
        for server in self.servers:
            server.close()
        for pair in list(self.pairs):
            pair.end()
