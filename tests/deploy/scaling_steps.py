"""Three nodes become five, and three again, under load."""
import time

from traffic import Watch, addresses, check_traffic, replicas, wait_until_level


class Watched(Watch):
    """While it is entered: of how many shards each of these nodes has a replica, as last seen while its instance was there."""

    def __init__(self, cluster, hosts):
        super().__init__(every_s=0.5)
        self.cluster, self.hosts, self.last = cluster, hosts, {}

    def look(self):
        try:
            placed, _ = replicas(self.cluster)
            there = self.cluster.containers()
        except RuntimeError:
            return  # an instance goes just now
        self.last |= {host: sum(host in nodes for nodes in placed) for host in self.hosts if host in there}


def check_grow(report, cluster, traffic):
    before, ended, begin = cluster.started_at(), traffic.disconnected(), time.monotonic()
    cluster.apply(node_count=5)
    after = cluster.started_at()
    report.equal("3 to 5: the old instances and brokers keep running", {h: after[h] for h in before}, before)
    report.equal("3 to 5: no connected client is disconnected", traffic.disconnected(), ended)
    report.equal("3 to 5: every node knows five members", {h: len(cluster.members(h)) for h in after}, {h: 5 for h in after})
    cluster.wait_for_balancer(addresses(cluster).values(), 30)
    report.check("3 to 5: the balancer uses the new nodes", True)
    joined = time.monotonic()
    report.equal("3 to 5: replicas are on all of them", wait_until_level(cluster), set(after))
    report.check(f"3 to 5: and level ({time.monotonic() - joined:.0f} s later)", True)
    report.equal("3 to 5: nor is a client when replicas move", traffic.disconnected(), ended)
    check_traffic(report, "3 to 5", traffic, begin)


def check_shrink(report, cluster, traffic):
    wait_until_level(cluster)
    before, begin = cluster.started_at(), time.monotonic()
    leaving = sorted(addresses(cluster))[-2:]
    held = {host: sum(m["clients"] for m in cluster.members(host) if m["state"] == "self") for host in leaving}
    report.check(f"5 to 3: the leaving nodes have clients {list(held.values())}", all(held.values()))
    placed, _ = replicas(cluster)
    report.check("5 to 3: and replicas", all(any(host in nodes for nodes in placed) for host in leaving), placed)
    with Watched(cluster, leaving) as watched:
        said = cluster.apply(node_count=3)
    after = cluster.started_at()
    report.equal("5 to 3: the staying instances and brokers keep running", after, {h: before[h] for h in after})
    for host in leaving:
        node = host.rsplit("-", 1)[1]
        left = said.find(f'terraform_data.member["{node}"]: Destruction complete')
        report.check(f"5 to 3: {node} is drained before it is destroyed",
                     0 < said.find("Send the clients away and wait until all are gone") < left <
                     said.find(f'scaleway_instance_server.node["{node}"]: Destroying'), said)
    report.equal("5 to 3: nothing is left on a node that is destroyed", watched.last, {host: 0 for host in leaving})
    report.equal("5 to 3: every node knows three members", {h: len(cluster.members(h)) for h in after}, {h: 3 for h in after})
    report.equal("5 to 3: each shard has three replicas on those that stay", wait_until_level(cluster), set(after))
    check_traffic(report, "5 to 3", traffic, begin)
