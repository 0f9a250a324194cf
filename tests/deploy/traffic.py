"""What the steps of a cluster's life share: the cluster, its clients, and what became of their messages."""
import contextlib
import json
import threading

import load
from cluster import PASSWORD, USER, Cluster
from durable import Durable

A_FEW_SECONDS = 10  # of a busy machine
SHARDS, REPLICAS = 8, 3
LEVEL_S = 300


def endpoints(cluster):
    outputs = cluster.outputs()
    ca = str(cluster.local_dir / "pki" / "tls-ca.crt")
    return [load.Endpoint(outputs["endpoint"], outputs["ports"]["mqtt"], USER, PASSWORD),
            load.Endpoint(outputs["endpoint"], outputs["ports"]["mqtts"], USER, PASSWORD, ca)]


def addresses(cluster):
    return {host: node["private"] for host, node in cluster.outputs()["nodes"].items()}


def replicas(cluster):
    """(the nodes that have a replica, shard by shard; whether all are where they should be)"""
    said = json.loads(cluster.ctl(sorted(addresses(cluster))[0], "--json", "rebalance"))
    return [shard["replicas"].split(",") for shard in said["shards"]], said["level"]


def wait_until_level(cluster):
    """Until each shard has three replicas, where they should be; the nodes that have some."""
    def is_level():
        placed, level = replicas(cluster)
        return level and [len(set(nodes)) for nodes in placed] == [REPLICAS] * SHARDS
    load.Load.wait(is_level, LEVEL_S, "three replicas of each shard, where they should be")
    return {node for nodes in replicas(cluster)[0] for node in nodes}


class Watch:
    """While it is entered, look() is called again and again, in a thread."""

    def __init__(self, every_s):
        self.every_s = every_s
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.ending.wait(self.every_s):
            self.look()

    def look(self):
        raise NotImplementedError

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()


class Traffic:
    """The clients of a step: those that came with it, and those with durable sessions, which are older."""

    def __init__(self, live, durable):
        self.live, self.durable = live, durable

    def disconnected(self):
        return self.live.sessions_ended() + self.durable.disconnected()

    def longest_gap(self, since):
        return max(self.live.longest_gap(since), self.durable.longest_gap(since))


def check_arrived(report, what, traffic, blind_s=load.PLANNED_BLIND_S):
    missing, owed = traffic.live.lost(blind_s)
    report.check(f"{what}: all of {owed} acknowledged messages arrived", not missing and owed > 0, missing[:20])
    against, owed = traffic.durable.lost()
    report.check(f"{what}: so did {owed} in durable sessions, in order, at QoS 2 once", not against and owed > 0,
                 "\n".join(against[:20]))


def check_traffic(report, what, traffic, begin):
    check_arrived(report, what, traffic)
    gap, name = traffic.longest_gap(begin)
    report.check(f"{what}: no client without a broker for more than {A_FEW_SECONDS} s ({gap:.1f} s, {name})", gap <= A_FEW_SECONDS)


class Life:
    """Of a cluster; what is opened for it ends with it."""

    def __init__(self, versions):
        self.ending = contextlib.ExitStack()
        self.cluster = Cluster(versions)
        self.ending.callback(self.cluster.remove_everything)
        self.durable, self.storage, self.owed = None, None, {}

    def have_durable_clients(self):
        if self.durable is None:
            self.durable = Durable(endpoints(self.cluster))
            self.ending.callback(self.durable.stop)
        return self.durable


def alone(check):
    """A step without clients but those with durable sessions, if they are there already."""
    return lambda report, life: check(report, life.cluster)


def under_load(check):
    def step(report, life):
        durable = life.have_durable_clients()
        with load.Load(endpoints(life.cluster)) as live:
            check(report, life.cluster, Traffic(live, durable))
    return step
