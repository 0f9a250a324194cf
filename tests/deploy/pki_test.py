"""The pki role by itself, on this machine: what makes a certificate anew, and what does not."""
import json
import pathlib
import subprocess
import tempfile

from cluster import changed_of
from report import Report
from standin import ROOT, environment

PLAY = [{"hosts": "shoal", "connection": "local", "gather_facts": False, "roles": ["pki"]}]
NAMES = ["peer-ca", "tls-ca", "one", "two", "tls"]


class Controller:
    def __init__(self, folder):
        self.folder, self.pki = folder, folder / "pki"
        self.vars = {
            "shoal_cluster": "test", "shoal_local_dir": str(folder), "shoal_tls_names": ["mqtt.example.org", "203.0.113.7"],
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        hosts = {name: {"shoal_private_address": f"10.73.0.{i}"} for i, name in enumerate(("one", "two"), 1)}
        (folder / "inventory.json").write_text(json.dumps({"all": {"children": {"shoal": {"hosts": hosts}}}}))
        (folder / "play.yml").write_text(json.dumps(PLAY))

    def play(self, **more):
        """The names of the certificates that it made, and its output."""
        before = self.contents()
        said = subprocess.run(
            ["ansible-playbook", "-i", str(self.folder / "inventory.json"), str(self.folder / "play.yml"), "-e",
             json.dumps({**self.vars, **more})], env=environment(ANSIBLE_CONFIG=str(ROOT / "ansible" / "ansible.cfg"),
                                                                ANSIBLE_ROLES_PATH=str(ROOT / "ansible" / "roles")),
            capture_output=True, text=True, check=False, timeout=300)
        if said.returncode:
            raise RuntimeError(said.stdout + said.stderr)
        return [name for name in NAMES if self.contents()[name] != before[name]], said

    def contents(self):
        files = {name: self.pki / f"{name}.crt" for name in NAMES}
        return {name: file.read_bytes() if file.exists() else b"" for name, file in files.items()}

    def verifies(self, name, authority):
        return subprocess.run(["openssl", "verify", "-CAfile", self.pki / f"{authority}.crt", self.pki / f"{name}.crt"],
                              capture_output=True, check=False).returncode == 0

    def all_verify(self):
        return all(self.verifies(*pair) for pair in (("one", "peer-ca"), ("two", "peer-ca"), ("tls", "tls-ca")))


def check_life(report, controller):
    report.equal("at first all are made", controller.play()[0], NAMES)
    report.check("and each is signed by its own authority", controller.all_verify() and not controller.verifies("tls", "peer-ca"))
    keys = sorted(file.name for file in controller.pki.glob("*.key") if file.stat().st_mode & 0o777 == 0o600)
    report.equal("keys are for their owner alone", keys, sorted(f"{name}.key" for name in NAMES))
    again, said = controller.play()
    report.check("a second play makes none and changes nothing", not again and set(changed_of(said.stdout).values()) == {0}, said.stdout)
    report.equal("near their end they are made anew", controller.play(pki_renew_days=826)[0], ["one", "two", "tls"])
    report.equal("for other names, that one", controller.play(shoal_tls_names=["other.example.org"])[0], ["tls"])
    for suffix in ("crt", "key"):
        (controller.pki / f"peer-ca.{suffix}").unlink()
    report.equal("of a lost authority, its own", controller.play(shoal_tls_names=["other.example.org"])[0], ["peer-ca", "one", "two"])
    report.check("and all are right again", controller.all_verify())


def main():
    report = Report()
    with tempfile.TemporaryDirectory(prefix="shoal-pki-") as folder:
        try:
            check_life(report, Controller(pathlib.Path(folder)))
        except RuntimeError as error:
            report.check("every play succeeds", False, error)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
