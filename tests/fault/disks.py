"""A disk for each node that can lose its power: an ext4 in a file, on a loop device. A power cut shuts the file system down
without its log, so that it forgets what was not synced, and what was written but not committed.

The image has no name and the device lets go of it with the last user, so nothing is left when the run ends, however it ends.
What reached the device stays: a disk that loses its own cache is not among the faults.
"""
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile

EXT4_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2
IMAGE_BYTES = 768 << 20  # sparse
# Long between commits of its own accord, and no help for who renames a file that is not synced.
OPTIONS = "noatime,commit=60,noauto_da_alloc"


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise OSError(f"{command[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


class Disk:
    def __init__(self, mount_point):
        self.path = pathlib.Path(mount_point)
        self.path.mkdir(parents=True)
        image, name = tempfile.mkstemp(prefix="shoal-fault-disk-")
        try:
            os.ftruncate(image, IMAGE_BYTES)
            run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", name)
            self.device = run("losetup", "--find", "--show", name)
        finally:
            os.unlink(name)
            os.close(image)
        self.hold = os.open(self.device, os.O_RDONLY | os.O_CLOEXEC)
        run("losetup", "--detach", self.device)  # when nobody holds it any more
        self.mount()

    def mount(self):
        run("mount", "-t", "ext4", "-o", OPTIONS, self.device, str(self.path))

    def cut(self):
        """From now on all that is asked of it fails, and what was not synced is forgotten."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(folder)

    def restore(self):
        """Once nobody uses it any more: as a machine that is on again finds it."""
        run("umount", str(self.path))
        self.mount()

    def close(self):
        subprocess.run(["umount", "--lazy", str(self.path)], check=False, stderr=subprocess.DEVNULL)
        os.close(self.hold)


def check(disk):
    """That a power cut forgets, and no more than it may: OSError otherwise."""
    synced, other = disk.path / "synced", disk.path / "other"
    with open(synced, "wb") as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())
    other.write_bytes(b"x" * 4096)
    disk.cut()
    disk.restore()
    if synced.read_bytes() != b"x" * 4096:
        raise OSError("a power cut loses what was synced")
    if other.exists() and other.read_bytes() == b"x" * 4096:
        raise OSError("a power cut keeps what was not synced")
    for each in disk.path.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
