"""A backup of the cluster to an S3 server on this machine, and another cluster that is made of it."""
import json
import pathlib
import re
import secrets
import sys
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import load  # noqa: E402
import s3_server  # noqa: E402
from cluster import Cluster  # noqa: E402
from images import docker  # noqa: E402
from paho.mqtt.packettypes import PacketTypes  # noqa: E402
from paho.mqtt.properties import Properties  # noqa: E402
from traffic import Traffic, Watch, addresses, check_traffic, endpoints, wait_until_level  # noqa: E402

FILLED, FILLING_BYTES = 600, 16384
SIZES = re.compile(r"backup \S+: .*?, ([\d.]+) MiB; new of it: ([\d.]+) MiB")


class Storage:
    """The S3 server, where instances reach it as they reach the Internet."""

    def __init__(self, life):
        self.keys = {"SCW_ACCESS_KEY": f"SCW{secrets.token_hex(8).upper()}", "SCW_SECRET_KEY": secrets.token_hex(18)}
        if s3_server.build() is None:
            raise RuntimeError("no Go to build the S3 server with")
        url, authority = life.ending.enter_context(
            s3_server.running(self.keys, life.cluster.folder, tls=True, address=life.cluster.gateway))
        self.variables = json.dumps({"shoal_backup_target": "s3://backups/of/this cluster", "shoal_backup_ca_file": authority,
                                     "shoal_backup_options": ["--s3-endpoint", url]})

    def play(self, cluster, playbook, **keys):
        return cluster.play(playbook, "-e", self.variables, env={**self.keys, **keys})


class CommandLines(Watch):
    """While it is entered: those of all processes of this machine, the containers' too, that hold any of the words."""

    def __init__(self, words, expected):
        """`expected`: what is looked for to know that something was seen."""
        super().__init__(every_s=0.1)
        self.words, self.expected = [word.encode() for word in words], expected.encode()
        self.found, self.is_seen = set(), False

    def look(self):
        for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = file.read_bytes()
            except OSError:
                continue  # it has ended
            self.is_seen |= self.expected in line
            if any(word in line for word in self.words):
                self.found.add(line)


def check_keys(report, what, cluster, keys, said, lines):
    """Where the keys must not be; a file that has one is made, to know that it would be found."""
    report.equal(f"{what}: no command line has a key", (lines.is_seen, lines.found), (True, set()))
    report.check(f"{what}: nor does the playbook's output", not any(key in said.stdout + said.stderr for key in keys))
    patterns = " ".join(f"-e {key}" for key in keys)
    search = f"grep -rlF -D skip --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev {patterns} / 2>/dev/null"
    for host in addresses(cluster):
        cluster.on(host, "sh", "-c", f"echo {min(keys)} > /var/tmp/planted")
        found = cluster.on(host, "nice", "sh", "-c", search, timeout=300).stdout.split()
        cluster.on(host, "rm", "/var/tmp/planted")
        report.equal(f"{what}: nor does any file of {host}", found, ["/var/tmp/planted"])


def client_of_filled(cluster):
    """Of a session that outlives its connections; connected."""
    endpoint = endpoints(cluster)[0]
    client, properties = endpoint.client("filled"), Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    client.connect(endpoint.host, endpoint.port, clean_start=False, properties=properties)
    return client


def fill(cluster):
    """Much that does not change between two backups."""
    subscribed, acked = threading.Event(), []
    client = client_of_filled(cluster)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_connect = lambda *_: client.subscribe("fill", qos=2)
    client.loop_start()
    if not subscribed.wait(20):
        raise RuntimeError("no SUBACK for the session that is to be filled")
    client.disconnect()
    client.loop_stop()
    endpoint, connected = endpoints(cluster)[0], threading.Event()
    publisher = endpoint.client("filler")
    publisher.max_inflight_messages_set(20)
    publisher.on_connect = lambda *_: connected.set()
    publisher.on_publish = lambda *_: acked.append(1)
    endpoint.start(publisher)
    if not connected.wait(20):  # Paho sends what it is given before that behind what it is given after
        raise RuntimeError("no CONNACK for who fills a session")
    for number in range(FILLED):
        publisher.publish("fill", f"{number} " + secrets.token_hex(FILLING_BYTES // 2), qos=2)
    load.Load.wait(lambda: len(acked) == FILLED, 60, "all of what fills a session is acknowledged")
    publisher.disconnect()
    publisher.loop_stop()


def what_filled(cluster):
    """The numbers of what waits in that session."""
    numbers = []
    client = client_of_filled(cluster)
    client.on_message = lambda _client, _data, message: numbers.append(int(message.payload.split()[0]))
    client.loop_start()
    load.Load.wait(lambda: len(numbers) >= FILLED, 60, "what waits in the filled session")
    time.sleep(1)
    client.disconnect()
    client.loop_stop()
    return numbers


def sizes_of(said):
    """(MiB of a backup, MiB of it that were new), as the playbook tells them."""
    found = SIZES.search(said.stdout)
    return tuple(map(float, found.groups())) if found else None


def check_backup(report, life):
    cluster, durable = life.cluster, life.have_durable_clients()
    life.storage = storage = Storage(life)
    fill(cluster)
    with load.Load(endpoints(cluster)) as live:
        begin = time.monotonic()
        with CommandLines(storage.keys.values(), "ctl\0backup\0") as lines:
            said = storage.play(cluster, "backup.yml")
        report.that("backup.yml succeeds", said)
        report.check("and finds the backup whole", "is whole" in said.stdout, said.stdout)
        check_traffic(report, "backup", Traffic(live, durable), begin)
    check_keys(report, "backup", cluster, storage.keys.values(), said, lines)
    refused = storage.play(cluster, "backup.yml", SCW_SECRET_KEY="another")
    report.check("with a wrong key it fails, and tells why", refused.returncode != 0 and "SignatureDoesNotMatch" in refused.stdout,
                 refused.stdout)
    life.owed = durable.rest()
    report.check(f"the load ends; absent sessions are owed {sorted(map(len, life.owed.values()))}", all(life.owed.values()))
    again = storage.play(cluster, "backup.yml")
    report.that("a second backup succeeds", again)
    first, second = sizes_of(said), sizes_of(again)
    report.check(f"and stores what is new (MiB of it, and new: {first}, {second})",
                 first and second and first[1] > 0 and second[1] < second[0] / 2)


def check_restored(report, life, other):
    """The other cluster, under the playbook that made it and under Terraform's."""
    storage, others = life.storage, addresses(other)
    report.equal("restore: every node knows three members", {h: len(other.members(h)) for h in others}, {h: 3 for h in others})
    report.equal("restore: each shard has three replicas", wait_until_level(other), set(others))
    other.wait_for_balancer(others.values(), 30)
    before = other.started_at()
    refused = storage.play(other, "restore.yml")
    report.check("a restore onto machines that have data is refused", refused.returncode != 0 and "is not empty" in refused.stdout,
                 refused.stdout)
    with load.Load(endpoints(other)) as live:
        other.apply(run_ansible=True)
        report.equal("neither that nor an apply that runs the playbook restarts a broker", other.started_at(), before)
        report.equal("nor disconnects a client", live.sessions_ended(), 0)
        missing, owed = live.lost(load.PLANNED_BLIND_S)
        report.check(f"all of {owed} messages published meanwhile arrived", not missing and owed > 0, missing[:20])


def check_clients_go_on(report, life, other):
    checks, came = life.durable.carried_on(endpoints(other))
    for name, against in checks:
        report.check(f"restore: {name}", not against, "\n".join(against[:20]))
    expected = {each: life.owed.get(each, set()) for each in came}
    report.equal("restore: the absent get exactly what they were owed, the others nothing",
                 {each: len(got ^ expected[each]) for each, got in came.items()}, {each: 0 for each in came})
    report.equal("restore: so does the filled session", what_filled(other), list(range(FILLED)))


def check_restore(report, life):
    """Of the newest backup."""
    if life.storage is None:
        raise RuntimeError("restore: there is no backup without the step before")
    other = Cluster([life.cluster.versions[-1]])
    try:
        other.apply(run_ansible=False)
        begin = time.monotonic()
        with CommandLines(life.storage.keys.values(), "restore\0s3://") as lines:
            said = life.storage.play(other, "restore.yml")
        report.that(f"restore.yml makes a cluster of machines without one ({time.monotonic() - begin:.0f} s)", said)
        check_keys(report, "restore", other, life.storage.keys.values(), said, lines)
        check_restored(report, life, other)
        check_clients_go_on(report, life, other)
        label = other.label()
        other.destroy()
        report.equal("the restored cluster is destroyed", docker("ps", "--all", "--quiet", "--filter", f"label={label}"), "")
    finally:
        other.remove_everything()
