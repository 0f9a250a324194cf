"""The broker's image as a container sees it."""
import json
import subprocess
import time

import images
from images import docker
from report import Report

HARDENED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
READY_S = 30
STOP_S = 9  # SIGTERM has the broker gone within 8 s
SIZE_MAX = 450 << 20


class Container:
    def __init__(self, image, *options, env=()):
        settings = [part for name, value in env for part in ("--env", f"{name}={value}")]
        self.id = docker("run", "--detach", *HARDENED, *options, *settings, image)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        docker("rm", "--force", "--volumes", self.id)

    def inspect(self, path):
        return docker("inspect", "--format", f"{{{{{path}}}}}", self.id)

    def health(self, wanted, seconds):
        end = time.monotonic() + seconds
        while (now := self.inspect(".State.Health.Status")) != wanted and time.monotonic() < end:
            time.sleep(0.5)
        return now

    def log(self):
        said = subprocess.run(["docker", "logs", self.id], capture_output=True, text=True, check=False)
        return said.stdout + said.stderr

    def address(self):
        return self.inspect(".NetworkSettings.IPAddress")


def check_metadata(report, image):
    report.check("the user is not root", docker("image", "inspect", "--format", "{{.Config.User}}", image) == "shoal")
    labels = docker("image", "inspect", "--format", "{{json .Config.Labels}}", image)
    for name in ("title", "description", "licenses", "version", "revision"):
        report.check(f"label org.opencontainers.image.{name}", f'"org.opencontainers.image.{name}":' in labels, labels)
    report.check("the data directory is a volume", "/var/lib/shoal" in docker("image", "inspect", "--format", "{{json .Config.Volumes}}", image))
    size = int(docker("image", "inspect", "--format", "{{.Size}}", image))
    report.check(f"the image is small ({size >> 20} MiB)", size <= SIZE_MAX)


def check_life(report, image):
    """With nothing set but who may come in: reachable, healthy, quick to stop, and the same node afterwards."""
    with Container(image, env=[("SHOAL_ALLOW_ANONYMOUS", "true")]) as one:
        report.equal("it becomes healthy on a read-only root file system, without capabilities", one.health("healthy", READY_S), "healthy")
        report.equal("its user has a fixed number", docker("exec", one.id, "id", "-u"), "10001")
        sent = subprocess.run(["mosquitto_pub", "-h", one.address(), "-t", "kept", "-m", "x", "-q", "1"], capture_output=True,
                              text=True, check=False, timeout=20)
        report.that("a client from outside publishes", sent)
        identity = docker("exec", one.id, "shoal", "ctl", "--json", "members")
        begin = time.monotonic()
        docker("stop", "--time", "30", one.id)
        took = time.monotonic() - begin
        report.check(f"SIGTERM stops it ({took:.1f} s)", took <= STOP_S)
        report.equal("with exit status 0", one.inspect(".State.ExitCode"), "0")
        docker("start", one.id)
        one.health("healthy", READY_S)
        report.equal("and it is the same node when it starts again",
                     id_of(docker("exec", one.id, "shoal", "ctl", "--json", "members")), id_of(identity))


def id_of(members):
    return [member["id"] for member in json.loads(members)["members"]]


def check_unreachable(report, image):
    """Settings that leave nobody a way in are said in one line."""
    cases = [
        ("nobody may log in", [], "nobody can log in"),
        ("a listener on the container's loopback", [("SHOAL_MQTT", "127.0.0.1:1883")], "container's own loopback: no client"),
        ("a peer address on the container's loopback", [("SHOAL_JOIN", "other:7883"), ("SHOAL_EXPECT", "3")],
         "container's own loopback: no other node"),
    ]
    for name, env, said in cases:
        with Container(image, env=env) as one:
            end = time.monotonic() + 10
            while said not in one.log() and time.monotonic() < end:
                time.sleep(0.2)
            lines = [line for line in one.log().splitlines() if said in line]
            report.check(f"{name}: one clear line", len(lines) == 1, one.log())


def check_unhealthy(report, image):
    with Container(image, env=[("SHOAL_PEER", "0.0.0.0:7883"), ("SHOAL_PEER_INSECURE", "true"), ("SHOAL_EXPECT", "3"),
                               ("SHOAL_JOIN", "192.0.2.1:7883"), ("SHOAL_PEER_ADVERTISE", "alone:7883")]) as one:
        time.sleep(5)
        probe = subprocess.run(["docker", "exec", one.id, "shoal-healthcheck"], capture_output=True, text=True, check=False)
        report.check("a node without its cluster is not healthy", probe.returncode == 1, (probe, one.log()))


def main():
    report = Report()
    images.build_all()
    image = images.BROKER[0]
    check_metadata(report, image)
    check_life(report, image)
    check_unreachable(report, image)
    check_unhealthy(report, image)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
