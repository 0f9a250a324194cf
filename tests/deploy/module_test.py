"""The Terraform module by itself: layout, validity, refused inputs, values, and what a change of size plans."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import standin
from report import Report
from standin import ROOT

# Each example, and the files of the person's that it names.
EXAMPLES = {
    "minimal": ["users"],
    "complete": ["secrets/users", "secrets/acl", "secrets/fullchain.pem", "secrets/privkey.pem", "shoal-1.0.tar.gz"],
}
INPUTS = {
    "ssh_public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEtestkeytestkeytestkeytestkeytestkeytest you@host",
    "ssh_allowed_cidrs": ["203.0.113.0/24"],
    "client_allowed_cidrs": ["0.0.0.0/0"],
    "password_file": "./versions.tf",  # any file that exists
    "shoal_image": "shoal:test",
    "run_ansible": False,
    "local_dir": "./local",
}
# What a further node is made of; and what knows all nodes, and so changes with their number.
OF_A_NODE = ["scaleway_block_volume.data", "scaleway_instance_ip.node", "scaleway_instance_private_nic.node",
             "scaleway_instance_server.node", "scaleway_ipam_ip.node", "terraform_data.member"]
OF_ALL = {**{f'scaleway_lb_backend.listener["{name}"]': ["update"] for name in ("mqtt", "mqtts", "wss")},
          "terraform_data.inventory": ["delete", "create"]}


def expected_change(action, nodes):
    return {**OF_ALL, **{f'{resource}["{node}"]': [action] for resource in OF_A_NODE for node in nodes}}


def planned(module, count):
    """address -> actions of a plan to `count` nodes, without what stays."""
    module.run("plan", f"-var=node_count={count}", "-out=plan")
    shown = json.loads(module.run("show", "-json", "plan"))
    return {c["address"]: c["change"]["actions"] for c in shown["resource_changes"] if c["change"]["actions"] != ["no-op"]}


def check_sizes(report, module):
    module.run("apply", "-auto-approve")
    for count, action, nodes in ((5, "create", ["node4", "node5"]), (3, "delete", ["node4", "node5"])):
        changes = planned(module, count)
        report.equal(f"to {count} nodes plans only what it should", changes, expected_change(action, nodes))
        module.run("apply", "plan")
        report.equal(f"a second plan of {count} nodes is empty", planned(module, count), {})
    module.run("destroy", "-auto-approve")
    report.equal("destroy leaves nothing", json.loads((module.world / "world.json").read_text()), {})


def check_replacement(report, module):
    """A dead machine is made anew, with the disk and the addresses that it had."""
    module.run("apply", "-auto-approve")
    world = json.loads((module.world / "world.json").read_text())
    lost = next(id for id, r in world.items()
                if r["type"] == "scaleway_instance_server" and r["fields"]["name"] == "shoal-node2")
    for id in [i for i in world if i == lost or i.startswith(lost + "/")]:
        del world[id]
    (module.world / "world.json").write_text(json.dumps(world))
    changes = planned(module, 3)
    report.equal("a lost instance is replaced, its volume and addresses are not", changes, {
        'scaleway_instance_server.node["node2"]': ["create"],
        'scaleway_instance_private_nic.node["node2"]': ["create"],
        "terraform_data.inventory": ["delete", "create"],
    })
    module.run("apply", "plan")
    module.run("destroy", "-auto-approve")


def check_formatting(report):
    report.that("terraform fmt", standin.terraform(ROOT, "fmt", "-check", "-recursive", "-diff", "terraform", "tests/deploy/terraform"))


def check_examples(report, folder):
    for name, files in EXAMPLES.items():
        target = folder / "repository" / "terraform" / "examples" / name
        for file in files:
            (target / file).parent.mkdir(exist_ok=True)
            (target / file).touch()
        made = standin.terraform(target, "init", "-backend=false", "-input=false")
        valid = made if made.returncode else standin.terraform(target, "validate")
        report.that(f"the {name} example is valid", valid)


def check_refusals(report, folder):
    """What the recorded schema cannot refuse, the stand-in must: one wrong value each, put into the module's own text."""
    cases = [
        ("load_balancer.tf", 'proxy_protocol         = "v2"', 'proxy_protocol         = "v3"', "proxy_protocol"),
        ("load_balancer.tf", 'health_check_delay           = "5s"', 'health_check_delay           = "5 seconds"', "health_check_delay"),
        ("load_balancer.tf", '"shutdown_sessions"', '"shutdown"', "on_marked_down_action"),
        ("load_balancer.tf", "  external_acls = true", "  external_acls = false", "external_acls"),
        ("main.tf", 'volume_type           = "sbs_volume"', 'volume_type           = "ssd"', "root_volume.volume_type"),
        ("main.tf", 'inbound_default_policy  = "drop"', 'inbound_default_policy  = "deny"', "inbound_default_policy"),
    ]
    for index, (file, right, wrong, named) in enumerate(cases):
        module = standin.Module(folder / f"wrong{index}", INPUTS)
        path = module.directory / file
        text = path.read_text()
        assert right in text, (file, right)
        path.write_text(text.replace(right, wrong))
        said = subprocess.run(module.command("apply", "-auto-approve"), cwd=module.directory, env=module.env,
                              capture_output=True, text=True, check=False)
        refused = said.returncode != 0 and named in re.sub(r"\s+", " ", said.stdout + said.stderr)
        report.check(f"{wrong.strip()} is refused, and {named} named", refused, said.stdout + said.stderr)


def main():
    report = Report()
    with tempfile.TemporaryDirectory(prefix="shoal-module-") as name:
        folder = pathlib.Path(name)
        check_formatting(report)
        shutil.copytree(ROOT / "terraform", folder / "repository" / "terraform", ignore=standin.LEFTOVERS)
        check_examples(report, folder)
        module = standin.Module(folder / "tested", INPUTS)
        report.that("validate", standin.terraform(module.directory, "validate"))
        shutil.copytree(ROOT / "tests/deploy/terraform", module.directory / "tests")
        said = subprocess.run(module.command("test"), cwd=module.directory, env=module.env, capture_output=True,
                              text=True, check=False)
        report.add_terraform_test(said)
        check_sizes(report, standin.Module(folder / "sizes", INPUTS))
        check_replacement(report, standin.Module(folder / "replacement", INPUTS))
        check_refusals(report, folder)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
