"""What the nodes stand on. The run has namespaces of its own (network, mounts, processes, and each node a clock): what is made
in them ends with the run, however it ends. What a machine does not give is said by name and reason, and the faults that need
it are left out."""
import contextlib
import mmap
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

import disks
import harness
import loopback
import network
import wires

# What the run inside of its namespaces is told: why there are none, empty where there are; and the folder for data.
INSIDE, FOLDER = "FAULT_INSIDE", "FAULT_FOLDER"
CLOCK = pathlib.Path(harness.SHOAL).parent / "libfault_clock.so"
BOOT_MAX_S = 10_000_000
NODES = 3


def namespaces():
    flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), *flags]


def failure_of(command):
    """Why the command fails, or nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except OSError as error:
        return str(error)
    lines = done.stderr.strip().splitlines() or [f"{command[0]}: status {done.returncode}"]
    return lines[-1] if done.returncode else ""


def enter():
    """Runs this program anew, in namespaces of its own where the machine has them, and ends with it; returns inside."""
    if INSIDE in os.environ:
        return
    why = failure_of([*namespaces(), "true"])
    command = [sys.executable, *sys.argv]
    with tempfile.TemporaryDirectory(prefix="shoal-fault-", ignore_cleanup_errors=True) as folder:
        inner = subprocess.Popen(command if why else [*namespaces(), *command],
                                 env={**os.environ, INSIDE: why, FOLDER: folder}, preexec_fn=loopback.prepare_child)
        try:
            sys.exit(inner.wait())
        except KeyboardInterrupt:
            inner.kill()
            inner.wait()
            raise


class Node(harness.Node):
    """A real node with whatever of its own the ground gives it: address, disk, clocks."""
    disk, clock, filter, seed = None, None, None, None

    def command(self):
        wrapper = network.inside(self.name) if self.filter else []
        if self.seed:  # each start is on a machine that runs for another time
            began = self.seed.randint(0, BOOT_MAX_S)
            wrapper += ["unshare", "--time", "--boottime", str(began), "--monotonic", str(began)]
        return wrapper + super().command()

    def environment(self):
        return {"LD_PRELOAD": str(CLOCK), "FAULT_CLOCK": str(self.clock.path)} if self.clock else {}

    def wipe(self):
        shutil.rmtree(self.directory)


class Clock:
    """What a node's wall clock is ahead of the machine's."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(8))
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 8)

    def set(self, ahead_s):
        self.page[:] = struct.pack("<q", int(ahead_s * 1e9))


class Ground:
    """`with Ground(options, seed, output) as nodes:` gives nodes that run and are ready; their logs are in `output`."""

    def __init__(self, options, seed, output):
        self.skipped, self.wires, self.random, self.output = [], None, random.Random(f"{seed}/ground"), output
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        self.directory = pathlib.Path(os.environ[FOLDER])
        names = [f"n{number + 1}" for number in range(NODES)]
        self.has_network = self.has("partitions, loss", lambda: self.open_network(names))
        self.nodes = [Node(self.directory, name, expect=NODES, options=options, host=self.host_of(number))
                      for number, name in enumerate(names, 1)]
        for node in self.nodes:
            node.join = [f"{peer.host}:{peer.peer_port}" for peer in self.nodes]
            node.log_path = output / f"{node.name}.log"
        self.furnish()

    def has(self, what, make):
        try:
            make()
        except (OSError, subprocess.SubprocessError) as error:
            self.skipped.append((what, str(error)))
            return False
        return True

    def open_network(self, names):
        if os.environ[INSIDE]:
            raise OSError(f"no namespaces: {os.environ[INSIDE]}")
        network.open_network(names)

    def host_of(self, number):
        return network.address_of(number) if self.has_network else "127.0.0.1"

    def furnish(self):
        """Each node's filter, wire, disk and clocks."""
        if self.has_network:
            for node in self.nodes:
                node.filter = network.Filter(node)
                node.options = [*node.options, "--peer-insecure", "--allow-anonymous"]
                node.filter.set()
            self.has("delay", self.open_wires)
        self.has("power cuts", self.open_disks)
        self.has("clocks that jump", self.open_clocks)
        self.has("starts at any time of the machine's clock", self.open_times)

    def open_wires(self):
        self.wires = wires.Wires(self.nodes)

    def open_disks(self):
        if os.environ[INSIDE]:
            raise OSError(f"no namespaces: {os.environ[INSIDE]}")
        found = []
        try:
            for node in self.nodes:
                found.append(disks.Disk(self.directory / f"disk-{node.name}"))
            disks.check(found[0])
        except OSError:
            for each in found:
                each.close()
            raise
        for node, disk in zip(self.nodes, found):
            node.disk, node.directory = disk, disk.path / "data"

    def open_clocks(self):
        if not CLOCK.exists():
            raise OSError(f"{CLOCK} is not built")
        for node in self.nodes:
            node.clock = Clock(self.output / f"{node.name}.clock")

    def open_times(self):
        why = failure_of(["unshare", "--time", "--boottime", "1", "true"])
        if why:
            raise OSError(why)
        for node in self.nodes:
            node.seed = random.Random(self.random.random())

    def __enter__(self):
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()
        return self.nodes

    def __exit__(self, *unused):
        for node in self.nodes:
            if node.process:
                with contextlib.suppress(ProcessLookupError):
                    node.signal(signal.SIGCONT)
                node.kill()
        for node in self.nodes:
            if node.disk:
                node.disk.close()
