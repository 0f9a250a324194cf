"""From `terraform apply` to `terraform destroy` with a cluster of containers, under a load that is accounted for.

`--only=NAME,...` takes some steps of its life only.
"""
import json
import shlex
import subprocess
import sys
import time

import images
import load
from backup_steps import check_backup, check_restore
from cluster import PASSWORD, USER, changed_of
from images import docker
from report import Report
from scaling_steps import check_grow, check_shrink
from traffic import Life, addresses, alone, check_arrived, check_traffic, under_load

PORTS = {"ssh": 22, "mqtt": 1883, "peer": 7883, "wss": 8084, "mqtts": 8883, "admin": 9883}


def check_first_message(report, cluster):
    """The line that apply prints, as printed; the subscriber is on another node, as the balancer spreads them."""
    outputs = cluster.outputs()
    ca = cluster.local_dir / "pki" / "tls-ca.crt"
    subscriber = subprocess.Popen(
        ["mosquitto_sub", "-h", outputs["endpoint"], "-p", "8883", "--cafile", str(ca), "-u", USER, "-P", PASSWORD,
         "-t", "hello", "-C", "1", "-W", "20", "-q", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(2)
    line = outputs["try_it"].replace("USER", USER).replace("PASSWORD", shlex.quote(PASSWORD))
    said = subprocess.run(shlex.split(line), capture_output=True, text=True, check=False, timeout=20)
    report.that("the printed mosquitto_pub line publishes", said)
    report.equal("and a subscriber behind the balancer receives it", subscriber.communicate(timeout=30)[0].strip(), "world")


def check_closed(report, cluster):
    outputs = cluster.outputs()
    plain = ["mosquitto_pub", "-h", outputs["endpoint"], "-p", "1883", "-t", "hello", "-m", "x", "-q", "1"]
    for name, extra, why in (("without a user", [], "not authori"),
                             ("with a wrong password", ["-u", USER, "-P", "guess"], "bad user name or password")):
        said = subprocess.run([*plain, *extra], capture_output=True, text=True, check=False, timeout=20)
        report.check(f"a client {name} is refused", said.returncode != 0 and why in (said.stdout + said.stderr).lower(),
                     said.stdout + said.stderr)


def check_secrets(report, cluster):
    """What the state must not hold, and who may read what lies on a node."""
    state = "".join(file.read_text() for file in cluster.module.directory.glob("terraform.tfstate*"))
    users = (cluster.folder / "users").read_text()
    report.check("no key, no password and no hash of one is in Terraform's state",
                 state and "PRIVATE KEY" not in state and PASSWORD not in state and users.split(":")[1].strip() not in state)
    node = sorted(addresses(cluster))[0]
    listed = cluster.on(node, "find", "/etc/shoal", "-type", "f", "-printf", "%f %m %u %g\n").stdout
    report.equal("a node's files are root's, and the broker's to read", sorted(listed.splitlines()), sorted(
        f"{name} 640 root shoal" for name in ("peer-ca.crt", "peer.crt", "peer.key", "shoal.toml", "tls.crt", "tls.key", "users")))


def check_container(report, cluster):
    """What the playbook promises of the broker's container and of the machine."""
    node = sorted(addresses(cluster))[0]
    host = json.loads(cluster.on(node, "docker", "inspect", "--format", "{{json .HostConfig}}", "shoal").stdout)
    report.equal("the broker starts again by itself", host["RestartPolicy"]["Name"], "unless-stopped")
    report.equal("its log is bounded", host["LogConfig"], {"Type": "json-file", "Config": {"max-file": "3", "max-size": "50m"}})
    report.equal("its root file system is read-only, and it has no capability", (host["ReadonlyRootfs"], host["CapDrop"]), (True, ["ALL"]))
    report.equal("its data is on the volume", cluster.on(node, "findmnt", "-n", "-o", "FSTYPE", "/srv/shoal").stdout.strip(), "ext4")
    report.equal("the kernel's backlog is raised", cluster.on(node, "sysctl", "-n", "net.core.somaxconn").stdout.strip(), "65535")


def open_ports(prefix, address):
    """The names of PORTS that answer at the address, asked from where `prefix` runs a command."""
    probes = "".join(f"(timeout 3 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo {name}) & " for name, port in PORTS.items())
    said = subprocess.run([*prefix, "bash", "-c", f"{probes} wait"], capture_output=True, text=True, check=False, timeout=60)
    return sorted(said.stdout.split())


def check_firewall(report, cluster):
    """Who reaches what, by trying: a stranger on the private network, the balancer, a peer, and the public side."""
    nodes = addresses(cluster)
    target, peer = sorted(nodes)[:2]
    there = cluster.containers()
    private_net = next(n for n in docker("network", "ls", "--filter", f"label={cluster.label()}", "--format", "{{.Name}}").split()
                       if not n.endswith("-public"))
    stranger = docker("run", "--detach", "--rm", "--label", cluster.label(), "--network", private_net, "--entrypoint", "sleep",
                      images.HAPROXY, "600")
    try:
        docker("exec", there[target], "docker", "run", "--detach", "--rm", "--name", "published", "--publish", "9000:9000",
               "--entrypoint", "sleep", cluster.versions[0], "600")
        report.equal("a neighbour on the private network reaches nothing", open_ports(["docker", "exec", stranger], nodes[target]), [])
        reached = subprocess.run(["docker", "exec", stranger, "timeout", "2", "bash", "-c", f"</dev/tcp/{nodes[target]}/9000"],
                                 capture_output=True, check=False)
        report.check("nor a port that some container publishes", reached.returncode == 124, reached)
        report.equal("the balancer reaches MQTT and readiness", open_ports(["docker", "exec", there["lb"]], nodes[target]),
                     ["admin", "mqtt", "mqtts", "wss"])
        report.equal("a peer reaches the peers' port only", open_ports(["docker", "exec", there[peer]], nodes[target]), ["peer"])
        public = cluster.outputs()["nodes"][target]["public"]
        report.equal("the public side has SSH only", open_ports([], public), ["ssh"])
        before = cluster.started_at()
        cluster.on(target, "systemctl", "restart", "docker")
        report.equal("the same after a restart of Docker", open_ports(["docker", "exec", stranger], nodes[target]), [])
        report.equal("which does not restart the broker", cluster.started_at(), before)
    finally:
        docker("exec", there[target], "docker", "rm", "--force", "published")
        docker("rm", "--force", stranger)


def check_nothing_changes(report, cluster, when):
    planned = subprocess.run(cluster.module.command("plan", "-detailed-exitcode"), cwd=cluster.module.directory,
                             env=cluster.module.env, capture_output=True, text=True, check=False, timeout=120)
    report.equal(f"{when}, a second plan is empty", planned.returncode, 0)
    said = cluster.play("site.yml", inventory="inventory/terraform.py")
    report.that(f"{when}, a second play over Terraform's own output succeeds", said)
    report.check(f"{when}, and changes nothing", set(changed_of(said.stdout).values()) == {0}, said.stdout)


def check_upgrade(report, cluster, traffic):
    """From the version before, where there is one: nodes of both serve the clients together."""
    begin = time.monotonic()
    new = {"shoal_image": cluster.versions[1], "image_archive": str(cluster.archives[1])}
    said = cluster.play("upgrade.yml", "-e", f"shoal_image={new['shoal_image']}", "-e", f"shoal_image_archive={new['image_archive']}")
    report.that("upgrade.yml succeeds", said)
    used = {host: cluster.on(host, "docker", "inspect", "--format", "{{.Config.Image}}", "shoal").stdout.strip()
            for host in addresses(cluster)}
    report.equal("upgrade: every node runs the new image", set(used.values()), {cluster.versions[1]})
    load.Load.wait(lambda: all(level and level == speaks for level, speaks in cluster.levels().values()), 10,
                   "every node is at the protocol that all speak")
    report.equal("upgrade: the cluster is at one protocol", len(set(cluster.levels().values())), 1)
    check_traffic(report, "upgrade", traffic, begin)
    cluster.inputs.update(new)
    cluster.apply()
    report.equal("an apply with the new image then replaces nothing", {host: cluster.on(
        host, "docker", "inspect", "--format", "{{.Config.Image}}", "shoal").stdout.strip() for host in used}, used)


def check_failed_upgrade(report, cluster, traffic):
    """A version that does not become ready stops it at the first node; the others have clients, and would start again."""
    begin, nodes, before = time.monotonic(), sorted(addresses(cluster)), cluster.started_at()
    wrong = json.dumps({"shoal_settings": {"no-such-setting": "1"}, "shoal_ready_timeout": 3})
    said = cluster.play("upgrade.yml", "-e", wrong)
    report.check("an upgrade to what does not start fails", said.returncode != 0, said.stdout)
    after = cluster.started_at()
    report.equal("and stops at the first node", [node for node in nodes if after[node] != before[node]], nodes[:1])
    kept = [cluster.on(node, "grep", "-c", "no-such-setting", "/etc/shoal/shoal.toml").stdout.strip() for node in nodes]
    report.equal("the others keep the configuration that they run with", kept, ["1"] + ["0"] * (len(nodes) - 1))
    check_traffic(report, "failed upgrade", traffic, begin)
    said = cluster.play("upgrade.yml")
    report.that("run again with what is right, it goes on from there", said)
    after = cluster.started_at()
    report.equal("and leaves alone what is right already", {n: after[n] for n in nodes[1:]}, {n: before[n] for n in nodes[1:]})
    cluster.wait_for_balancer(addresses(cluster).values(), 30)


def check_pause(report, cluster):
    """A frozen process still accepts TCP: only the broker's own answer tells."""
    nodes = addresses(cluster)
    frozen = sorted(nodes)[-1]
    container = cluster.containers()[frozen]
    docker("pause", container)
    try:
        took = cluster.wait_for_balancer([a for h, a in nodes.items() if h != frozen], 30)
        report.check(f"a paused node leaves the balancer within 15 s ({took:.1f} s)", took <= 15)
    finally:
        docker("unpause", container)
    took = cluster.wait_for_balancer(nodes.values(), 90)
    report.check(f"and is back after it goes on ({took:.1f} s)", True)


def check_replacement(report, cluster, traffic):
    nodes = addresses(cluster)
    killed = sorted(nodes)[0]
    identity = {m["name"]: m["id"] for m in cluster.members(sorted(nodes)[1])}
    docker("rm", "--force", "--volumes", cluster.containers()[killed])
    cluster.apply()
    report.equal("a killed node is replaced at the same address", addresses(cluster), nodes)
    report.equal("and is the same member, by its disk", {m["name"]: m["id"] for m in cluster.members(killed)}, identity)
    cluster.wait_for_balancer(nodes.values(), 60)
    check_arrived(report, "node killed and replaced", traffic, load.CRASH_BLIND_S)


def check_dead_leaves(report, cluster):
    """A node that is dead cannot be drained: the others forget it."""
    cluster.apply(node_count=4)
    dead = sorted(addresses(cluster))[-1]
    docker("rm", "--force", "--volumes", cluster.containers()[dead])
    begin = time.monotonic()
    cluster.apply(node_count=3)
    report.check(f"scaling in a dead node comes to its end ({time.monotonic() - begin:.0f} s)", True)
    left = sorted(addresses(cluster))
    for node in left:
        report.equal(f"{node} has forgotten it", sorted(m["name"] for m in cluster.members(node)), left)


def check_durable(report, life):
    """The judgement over the whole life, where it had clients."""
    for name, against in life.durable.judged() if life.durable else []:
        report.check(f"over the whole life: {name}", not against, "\n".join(against[:20]))


def check_destroy(report, cluster):
    label = cluster.label()
    said = cluster.destroy()
    report.check("destroy does not drain a cluster that goes as a whole", "Send the clients away" not in said, said)
    left = docker("ps", "--all", "--quiet", "--filter", f"label={label}") + docker("network", "ls", "--quiet", "--filter", f"label={label}")
    report.equal("destroy leaves no container and no network", left, "")
    report.equal("destroy leaves no disk", list(cluster.module.world.glob("volume-*")), [])


def volumes():
    return set(docker("volume", "ls", "--quiet").split())


def check_apply(report, cluster):
    begin = time.monotonic()
    cluster.apply()
    report.check(f"terraform apply makes a cluster ({time.monotonic() - begin:.0f} s)", True)
    cluster.wait_for_balancer(addresses(cluster).values(), 30)


# In this order; between "apply" and "destroy" any may be left out, if nothing behind it needs it.
STEPS = {
    "apply": alone(check_apply),
    "message": alone(check_first_message),
    "closed": alone(check_closed),
    "secrets": alone(check_secrets),
    "container": alone(check_container),
    "firewall": alone(check_firewall),
    "unchanged": alone(lambda report, cluster: check_nothing_changes(report, cluster, "after apply")),
    "grow": under_load(check_grow),
    "shrink": under_load(check_shrink),  # of what "grow" made, whose nodes have clients by then
    "upgrade": under_load(check_upgrade),
    "failed-upgrade": under_load(check_failed_upgrade),
    "pause": alone(check_pause),
    "replacement": under_load(check_replacement),
    "dead-leaves": alone(check_dead_leaves),
    "backup": check_backup,    # ends the load of durable sessions
    "restore": check_restore,  # of what "backup" made
    "durable": check_durable,
    "unchanged-at-last": alone(lambda report, cluster: check_nothing_changes(report, cluster, "after a life")),
    "destroy": alone(check_destroy),
}


def chosen():
    """The steps of `--only NAME,...`, with the first and the last; without it all."""
    names = next((word.removeprefix("--only=").split(",") for word in sys.argv[1:] if word.startswith("--only=")), list(STEPS))
    unknown = set(names) - set(STEPS)
    if unknown:
        raise SystemExit(f"end_to_end.py: no step {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}")
    return [name for name in STEPS if name in {*names, "apply", "durable", "destroy"}]


def main():
    steps = chosen()
    report = Report()
    images.build_all()
    volumes_before = volumes()
    life = Life(images.versions("upgrade" in steps))
    try:
        for name in steps:
            STEPS[name](report, life)
        report.equal("nothing of all this leaves a volume", volumes(), volumes_before)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        report.check("the life of a cluster goes on to its end", False, error)
    finally:
        life.ending.close()
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
