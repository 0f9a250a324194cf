"""Who listens on a port of this machine, from /proc: `ss` is not on every Debian."""
import os
import pathlib

LISTEN = "0A"
# Loopback, and any address, in both families as the kernel prints them: only these are in our way.
LOOPBACK_OR_ANY = {"0100007F", "00000000", "0" * 32, "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def listening_sockets():
    """port -> inode of each socket that listens on loopback or on all addresses."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = pathlib.Path(table).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            address, port = fields[1].split(":")
            if fields[3] == LISTEN and address in LOOPBACK_OR_ANY:
                found[int(port, 16)] = fields[9]
    return found


def owners_of(inodes):
    """inode -> "name (pid N)" for those whose process we may look into."""
    owners = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            for descriptor in os.scandir(process / "fd"):
                link = os.readlink(descriptor.path)
                inode = link[len("socket:["):-1] if link.startswith("socket:[") else None
                if inode in inodes:
                    owners[inode] = f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:  # it ended meanwhile, or belongs to another user
            continue
    return owners


def taken(ports):
    """[(port, owner)] of those that are in use."""
    used = {port: inode for port, inode in listening_sockets().items() if port in ports}
    owners = owners_of(set(used.values()))
    return [(port, owners.get(inode, "a process of another user")) for port, inode in sorted(used.items())]
