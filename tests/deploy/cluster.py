"""A whole cluster made by `terraform apply` on this machine, and ways to look at it from outside."""
import csv
import io
import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

import images
import networks
import standin
from images import docker

USER, PASSWORD = "tester", "correct horse battery"
APPLY_TIMEOUT_S = 1800  # of a machine that does much else: minutes otherwise


def changed_of(said):
    """host -> how many tasks of a play changed something, by its recap."""
    return {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", said, re.M)}


class Cluster:
    def __init__(self, versions=tuple(images.BROKER)):
        """`versions`: the images that it begins with and is upgraded to."""
        self.versions = list(versions)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="shoal-cluster-"))
        self.public, self.private = networks.free_subnets(2)
        self.gateway = self.public.replace(".0/24", ".1")  # this machine, as the containers see it
        self.local_dir = self.folder / "local"
        self.balancer_pid = None  # of the first apply's balancer, which no later apply replaces
        self.archives = [self.folder / f"{image.split(':')[1]}.tar.gz" for image in self.versions]
        self.make_key()
        images.make_users(self.folder / "users", [(USER, PASSWORD)])
        for image, archive in zip(self.versions, self.archives):
            images.save(image, archive)
        self.inputs = {
            "ssh_public_key": (self.folder / "key.pub").read_text().strip(),
            "ssh_private_key_file": str(self.folder / "key"),
            "ssh_allowed_cidrs": [f"{self.gateway}/32"],
            "client_allowed_cidrs": [f"{self.gateway}/32"],
            "private_subnet": self.private,
            "password_file": str(self.folder / "users"),
            "shoal_image": self.versions[0],
            "image_archive": str(self.archives[0]),
            "local_dir": str(self.local_dir),
            # What a container may not raise, or would raise for the whole machine.
            "ansible_vars": {"shoal_nofile": 20000, "tuning_nofile": 20000, "tuning_sysctl_machine": {}},
        }
        self.module = standin.Module(self.folder, self.inputs, SHOAL_STANDIN_CONTAINERS="1", SHOAL_STANDIN_PUBLIC=self.public)

    def make_key(self):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "key")], check=True)

    # What a person does.

    def apply(self, **changes):
        self.inputs.update(changes)
        self.module.set(self.inputs)
        return self.module.run("apply", "-auto-approve", timeout=APPLY_TIMEOUT_S)

    def destroy(self):
        return self.module.run("destroy", "-auto-approve", timeout=APPLY_TIMEOUT_S)

    def outputs(self):
        return {name: value["value"] for name, value in json.loads(self.module.run("output", "-json")).items()}

    def play(self, playbook, *arguments, inventory=None, env=()):
        """Over the inventory that apply wrote, or over another one; `env` is for it alone."""
        env = {**self.module.env, "SHOAL_TERRAFORM_DIR": str(self.module.directory), **dict(env)}
        folder = self.folder / "ansible"
        if inventory:
            command = ["ansible-playbook", "-i", inventory, playbook]
            env["ANSIBLE_CONFIG"] = str(folder / "ansible.cfg")
        else:
            command = ["sh", "run", str(self.local_dir), playbook]
        return subprocess.run([*command, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False,
                              timeout=APPLY_TIMEOUT_S)

    # What is there.

    def label(self):
        prefixes = {line.split("-")[1] for line in docker("network", "ls", "--format", "{{.Name}}").splitlines()
                    if line.startswith("standin-") and line.endswith("-public") and self.owns(line)}
        return f"shoal.standin=standin-{prefixes.pop()}"

    def owns(self, network):
        return self.public in docker("network", "inspect", "--format", "{{range .IPAM.Config}}{{.Subnet}}{{end}}", network)

    def containers(self):
        """host name -> container id, of the instances; the balancer is under its own name's "lb"."""
        found = {}
        for line in docker("ps", "--filter", f"label={self.label()}", "--format", "{{.ID}} {{.Names}}").splitlines():
            container, name = line.split()
            host = docker("inspect", "--format", "{{.Config.Hostname}}", container)
            found["lb" if "-lb-" in name else host] = container
        return found

    def on(self, host, *command, timeout=60):
        return subprocess.run(["docker", "exec", self.containers()[host], *command], capture_output=True, text=True,
                              check=False, timeout=timeout)

    def ctl(self, host, *arguments):
        said = self.on(host, "docker", "exec", "shoal", "shoal", "ctl", *arguments)
        if said.returncode:
            raise RuntimeError(f"shoal ctl {arguments} on {host}: {said.stdout}{said.stderr}")
        return said.stdout

    def members(self, host):
        return json.loads(self.ctl(host, "--json", "members"))["members"]

    def levels(self):
        """host -> (the protocol that the cluster is at, as the node there says; what that node speaks)."""
        said = {host: json.loads(self.ctl(host, "--json", "members")) for host in self.containers() if host != "lb"}
        return {host: (one.get("protocol_level"), one.get("protocol_max")) for host, one in said.items()}

    def started_at(self):
        """When each instance and each broker in it was started: whatever restarts shows here."""
        return {host: (docker("inspect", "--format", "{{.State.StartedAt}}", container),
                       self.on(host, "docker", "inspect", "--format", "{{.State.StartedAt}} {{.Image}}", "shoal").stdout.strip())
                for host, container in self.containers().items() if host != "lb"}

    def balancer_says(self):
        """address of a node -> its status in every backend, as HAProxy has it."""
        if self.balancer_pid is None:
            self.balancer_pid = docker("inspect", "--format", "{{.State.Pid}}", self.containers()["lb"])
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"/proc/{self.balancer_pid}/root/run/haproxy.sock")
            connection.sendall(b"show stat\n")
            text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
        says = {}
        for row in rows:
            if row["svname"] not in ("FRONTEND", "BACKEND"):
                says.setdefault(row["svname"], set()).add(row["status"].split()[0])
        return says

    def wait_for_balancer(self, up, seconds):
        """Until exactly the nodes at these addresses are up in every backend; how long it took."""
        begin = time.monotonic()
        while True:
            says = self.balancer_says()
            if {address for address, states in says.items() if states == {"UP"}} == set(up) and \
                    not any("UP" in states for address, states in says.items() if address not in up):
                return time.monotonic() - begin
            if time.monotonic() - begin > seconds:
                raise TimeoutError(f"balancer after {seconds} s: {says}, wanted up: {sorted(up)}")
            time.sleep(0.2)

    def remove_everything(self):
        """Also after a failure in the middle: by label, and only what this cluster made."""
        try:
            label = self.label()
        except KeyError:
            label = None
        if label:
            for container in docker("ps", "--all", "--quiet", "--filter", f"label={label}").split():
                docker("rm", "--force", "--volumes", container)
            for network in docker("network", "ls", "--quiet", "--filter", f"label={label}").split():
                docker("network", "rm", network)
        for volume in self.module.world.glob("volume-*"):
            for device in subprocess.run(["losetup", "--noheadings", "--output", "NAME", "--associated", str(volume)],
                                         capture_output=True, text=True, check=False).stdout.split():
                subprocess.run(["losetup", "--detach", device], check=False)
        shutil.rmtree(self.folder)
