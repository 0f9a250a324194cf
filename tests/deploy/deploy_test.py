"""`./dev deploy-test`: what can be said of the deployment by reading it, by planning it, and by living in it."""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "dev"))

import pieces  # noqa: E402
from pieces import Piece  # noqa: E402

import standin  # noqa: E402

PYTHON = "/usr/bin/python3"
ANSIBLE = {"LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible" / "ansible.cfg")}


def in_folder(folder, command):
    return ["bash", "-c", f"cd {folder} && {command}"]


def reading():
    playbooks = "site.yml upgrade.yml scale_in.yml backup.yml restore.yml"
    return [
        Piece("deploy/ansible-lint", in_folder("ansible", "ansible-lint --offline --nocolor -p"), env=ANSIBLE),
        Piece("deploy/yamllint", in_folder("ansible", "yamllint --strict -c .yamllint . ../docker-compose.yml")),
        Piece("deploy/syntax", in_folder("ansible", f"ansible-playbook -i localhost, --syntax-check {playbooks}"), env=ANSIBLE),
        Piece("deploy/shellcheck", ["shellcheck", "ansible/run"]),
        Piece("deploy/standin", in_folder("tests/deploy/standin", 'test -z "$(gofmt -l .)" && go vet . && go test .')),
    ]


def end_to_end(*arguments):
    return Piece("deploy/end_to_end", [PYTHON, "tests/deploy/end_to_end.py", *arguments], timeout_s=2 * 3600)


def living(short):
    """What runs containers, one after the other; the broker's image from source in the full form."""
    source = [] if short else ["--from-source"]
    found = [Piece("deploy/image", [PYTHON, "tests/deploy/image_test.py", *source], timeout_s=1200 if short else 4 * 3600),
             Piece("deploy/compose", [PYTHON, "tests/deploy/compose_test.py", *source], timeout_s=1200)]
    if not short:
        found.append(end_to_end(*source))
    return with_engine(found)


def with_engine(found):
    engine = subprocess.run(["docker", "info"], capture_output=True, check=False) if shutil.which("docker") else None
    if engine is None or engine.returncode:
        return [skipped(piece.name, "no Docker Engine answers") for piece in found]
    return found


def life_of_a_cluster():
    """What the end-to-end piece said, for the evidence: its checks have figures in their names."""
    log = pieces.LOGS / "deploy-end_to_end.log"
    said = re.findall(r"^(?:ok|FAILED) .*$", log.read_text(), re.M) if log.exists() else []
    return "\n## The life of a cluster\n\n```\n" + "\n".join(said) + "\n```\n"


def skipped(name, why):
    return Piece(name, ["printf", "skipped: %s\n0 passed, 0 failed, 1 skipped\n", f"{name}: {why}"])


def main():
    short = "--short" in sys.argv[1:]
    standin.build()
    if only := [word for word in sys.argv[1:] if word.startswith("--only=")]:
        return pieces.finish(None, "./dev deploy-test", pieces.run(with_engine([end_to_end(*only)]), 1))
    outcomes = pieces.run([*reading(), Piece("deploy/pki", [PYTHON, "tests/deploy/pki_test.py"]),
                           Piece("deploy/module", [PYTHON, "tests/deploy/module_test.py"])], 2)
    outcomes += pieces.run(living(short), 1)
    return pieces.finish(None if short else "deploy-test", "./dev deploy-test", outcomes, "" if short else life_of_a_cluster())


pieces.on_interrupt(main)
