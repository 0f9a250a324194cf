#!/usr/bin/env python3
"""Ansible inventory from Terraform's output: SHOAL_TERRAFORM_DIR names the directory that was applied."""
import json
import os
import shutil
import subprocess
import sys


def main() -> int:
    directory = os.environ.get("SHOAL_TERRAFORM_DIR")
    program = shutil.which("terraform") or shutil.which("tofu")
    if not directory or not program:
        print("set SHOAL_TERRAFORM_DIR, and have terraform or tofu on the PATH", file=sys.stderr)
        return 1
    raw = subprocess.run(
        [program, f"-chdir={directory}", "output", "-json", "inventory"], check=True, stdout=subprocess.PIPE
    ).stdout
    group = json.loads(raw)["all"]["children"]["shoal"]
    answer = {
        "shoal": {"hosts": sorted(group["hosts"]), "vars": group["vars"]},
        "_meta": {"hostvars": group["hosts"]},
    }
    json.dump(answer, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
