"""Terraform with the stand-in provider: where the provider is built, how Terraform finds it, a module's copy to apply."""
import json
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "deploy"
SOURCE = ROOT / "tests" / "deploy" / "standin"
VERSION = "2.81.0"  # whose schema is recorded
# Terraform and OpenTofu look the same short name up under different hosts.
HOSTS = ["registry.terraform.io", "registry.opentofu.org"]
LEFTOVERS = shutil.ignore_patterns(".terraform*", "terraform.tfstate*", "*.tfvars")


def build():
    """The provider's binary, in a mirror of the file system that Terraform installs from."""
    platform = subprocess.run(["go", "env", "GOOS", "GOARCH"], capture_output=True, text=True, check=True).stdout.split()
    binary = BUILD / "standin"
    subprocess.run(["nice", "go", "build", "-trimpath", "-o", str(binary), "."], cwd=SOURCE, check=True)
    for host in HOSTS:
        place = BUILD / "mirror" / host / "scaleway" / "scaleway" / VERSION / "_".join(platform)
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy2(binary, place / f"terraform-provider-scaleway_v{VERSION}")
    (BUILD / "terraform.rc").write_text(
        "disable_checkpoint = true\n"
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{BUILD}/mirror"\n  }}\n}}\n')


def program():
    return os.environ.get("terraform") or shutil.which("terraform") or shutil.which("tofu")


def environment(**more):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "SCW_", "SHOAL_", "ANSIBLE_"))}
    return {**clean, "TF_CLI_CONFIG_FILE": str(BUILD / "terraform.rc"), "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1", "LC_ALL": "C.UTF-8", **more}


def terraform(directory, *arguments):
    options = [] if arguments[0] == "fmt" else ["-no-color"]
    return subprocess.run([program(), arguments[0], *options, *arguments[1:]], cwd=directory, env=environment(),
                          capture_output=True, text=True, check=False, timeout=120)


class Module:
    """A copy of the module with its inputs, applied to a world of its own."""

    def __init__(self, folder, inputs, **env):
        self.directory = folder / "terraform"
        self.world = folder / "world"
        self.world.mkdir(parents=True)
        shutil.copytree(ROOT / "terraform", self.directory, ignore=LEFTOVERS)
        shutil.copytree(ROOT / "ansible", folder / "ansible")
        self.env = environment(SHOAL_STANDIN_DIR=str(self.world), **env)
        self.set(inputs)
        made = terraform(self.directory, "init", "-input=false")
        if made.returncode:
            raise RuntimeError(made.stdout + made.stderr)

    def set(self, inputs):
        (self.directory / "inputs.auto.tfvars.json").write_text(json.dumps(inputs))

    def command(self, name, *arguments):
        return [program(), name, "-no-color", *arguments]

    def run(self, name, *arguments, timeout=120):
        """What it printed; its failure is an exception with all that it said."""
        said = subprocess.run(self.command(name, *arguments), cwd=self.directory, env=self.env, capture_output=True,
                              text=True, check=False, timeout=timeout)
        if said.returncode:
            raise RuntimeError(f"terraform {name}: exit status {said.returncode}\n{said.stdout}\n{said.stderr}")
        return said.stdout
