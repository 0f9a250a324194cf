"""docker-compose.yml: three nodes, the balancer and Prometheus, up and down again."""
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.request

import images
import networks
from images import docker
from report import Report
from standin import ROOT

USER, PASSWORD = "tester", "correct horse battery"
PROJECT = f"shoal-test-{os.getpid()}"
UP_S = 120


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


class Compose:
    def __init__(self, folder):
        users = folder / "users"
        images.make_users(users, [(USER, PASSWORD)])
        os.chown(users, 10001, 10001)
        self.port, self.prometheus, *admin = free_ports(5)
        self.env = {**os.environ, "SHOAL_IMAGE": images.BROKER[0], "SHOAL_USERS": str(users), "SHOAL_PORT": self.port,
                    "SHOAL_NETWORK": networks.free_subnets(1)[0].removesuffix(".0/24"),
                    "SHOAL_PROMETHEUS_PORT": self.prometheus, "COMPOSE_HTTP_TIMEOUT": "180",
                    **{f"SHOAL_ADMIN{i}_PORT": port for i, port in enumerate(admin, 1)}}

    def run(self, *arguments):
        said = subprocess.run(["docker-compose", "-p", PROJECT, *arguments], cwd=ROOT, env=self.env, capture_output=True, text=True,
                              check=False, timeout=400)
        if said.returncode:
            raise RuntimeError(f"docker-compose {arguments[0]}: {said.stdout}{said.stderr}")
        return said.stdout

    def container(self, service):
        return self.run("ps", "-q", service).strip()

    def mqtt(self, program, *arguments):
        return [program, "-h", "127.0.0.1", "-p", self.port, "-t", "hello", "-q", "1", *arguments]


def wait_healthy(compose, nodes):
    end = time.monotonic() + UP_S
    health = {}
    while time.monotonic() < end:
        health = {n: docker("inspect", "--format", "{{.State.Health.Status}}", compose.container(n)) for n in nodes}
        if set(health.values()) == {"healthy"}:
            break
        time.sleep(1)
    return health


def check_message(report, compose, name):
    user = ["-u", USER, "-P", PASSWORD]
    subscriber = subprocess.Popen(compose.mqtt("mosquitto_sub", *user, "-C", "1", "-W", "20"), stdout=subprocess.PIPE, text=True)
    time.sleep(2)
    sent = subprocess.run(compose.mqtt("mosquitto_pub", *user, "-m", "world"), capture_output=True, text=True, check=False, timeout=20)
    report.that(f"{name}: a client publishes through the balancer", sent)
    report.equal(f"{name}: and another receives", subscriber.communicate(timeout=30)[0].strip(), "world")


def check_published(report, compose):
    """What is reachable from this machine, and from where."""
    bound = set()
    for service in ("node1", "node2", "node3", "balancer", "prometheus", "pki"):
        ports = json.loads(docker("inspect", "--format", "{{json .NetworkSettings.Ports}}", compose.container(service)))
        bound |= {(service, port, b["HostIp"]) for port, binds in ports.items() for b in binds or []}
    report.equal("only the balancer and loopback's own ports are published", bound, {
        ("balancer", "1883/tcp", "127.0.0.1"), ("prometheus", "9090/tcp", "127.0.0.1"),
        ("node1", "9883/tcp", "127.0.0.1"), ("node2", "9883/tcp", "127.0.0.1"), ("node3", "9883/tcp", "127.0.0.1")})


def check_prometheus(report, compose):
    end = time.monotonic() + 40
    health = []
    while health != ["up"] * 3 and time.monotonic() < end:
        time.sleep(1)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{compose.prometheus}/api/v1/targets", timeout=5) as answer:
                health = [target["health"] for target in json.load(answer)["data"]["activeTargets"]]
        except OSError:
            continue
    report.equal("Prometheus reads all three nodes", health, ["up"] * 3)


def main():
    report = Report()
    images.build_all()
    with tempfile.TemporaryDirectory(prefix="shoal-compose-") as name:
        compose = Compose(pathlib.Path(name))
        try:
            compose.run("up", "--detach", "--build")
            nodes = ["node1", "node2", "node3"]
            report.equal("three nodes become healthy", wait_healthy(compose, nodes), {n: "healthy" for n in nodes})
            check_published(report, compose)
            refused = subprocess.run(compose.mqtt("mosquitto_pub", "-m", "x"), capture_output=True, text=True, check=False, timeout=20)
            report.check("a client without a user is refused", "not authori" in refused.stderr.lower(), refused)
            check_message(report, compose, "three nodes")
            check_prometheus(report, compose)
            docker("kill", compose.container("node1"))
            time.sleep(16)  # the balancer notices within 14 s
            check_message(report, compose, "one killed")
        except (RuntimeError, subprocess.SubprocessError) as error:
            report.check("compose goes on to its end", False, error)
        finally:
            compose.run("down", "--volumes", "--timeout", "20")
    left = docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}")
    report.equal("down leaves nothing", left, "")
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
