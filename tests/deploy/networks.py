"""Networks of this machine that nobody has."""
import ipaddress
import random
import re
import subprocess

from images import docker


def taken():
    """What this machine's routes and Docker's networks have. A network without a running container may have no route."""
    routes = subprocess.run(["ip", "-4", "route"], capture_output=True, text=True, check=True).stdout
    known = docker("network", "ls", "--quiet").split()
    ranges = docker("network", "inspect", "--format", "{{range .IPAM.Config}}{{println .Subnet}}{{end}}", *known) if known else ""
    return [ipaddress.ip_network(found) for found in re.findall(r"\d+\.\d+\.\d+\.\d+/\d+", routes + "\n" + ranges)]


def free_subnets(count):
    """`count` private /24s that nothing has, at random: a test beside this one must not choose the same."""
    held = taken()
    every = [ipaddress.ip_network(f"10.{second}.{third}.0/24") for second in (213, 214) for third in range(256)]
    free = [one for one in every if not any(one.overlaps(other) for other in held)]
    if len(free) < count:
        raise RuntimeError("no free subnet in 10.213.0.0/16 and 10.214.0.0/16")
    return [str(one) for one in random.sample(free, count)]
