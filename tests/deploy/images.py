"""The images of the tests: the base, a bare instance, HAProxy, and the broker in two versions. Made where missing.

The broker's is made of the binary that is built on this machine, in seconds; with --from-source by the Dockerfile, as a
user makes it.
"""
import hashlib
import os
import subprocess
import sys

import previous
from standin import ROOT

INSTANCE, HAPROXY = "shoal-test/instance", "shoal-test/haproxy"
BROKER = ["shoal-test/broker:one", "shoal-test/broker:two"]
PREVIOUS = "shoal-test/broker:previous"  # of the last commit that had another broker
TOOLCHAIN = "shoal-test/toolchain"
BINARY = ROOT / "build/release/shoal"
SOURCE_LABEL = "shoal.test.source"


def docker(*arguments, timeout=600):
    said = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=timeout)
    if said.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)}: {said.stdout}{said.stderr}")
    return said.stdout.strip()


def label_of(image):
    said = subprocess.run(["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{SOURCE_LABEL}"}}}}', image],
                          capture_output=True, text=True, check=False)
    return said.stdout.strip() if said.returncode == 0 else None


def digest_of(*paths):
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def build(image, folder):
    """Builds once for each state of the folder."""
    source = digest_of(folder)
    if label_of(image) != source:
        print(f"building {image}", flush=True)
        docker("build", "--quiet", "--label", f"{SOURCE_LABEL}={source}", "--tag", image, str(folder))


def source_of_image():
    """Of the Dockerfile and of what .dockerignore leaves in the context."""
    entering = ["Dockerfile", "CMakeLists.txt", "CMakePresets.json", "LICENSE", "cluster", "cmake", "docker/*.sh", "include", "node",
                "proto", "tests/dev/common.sh"]
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *entering], cwd=ROOT, capture_output=True,
                            text=True, check=True)
    return digest_of(*sorted(ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()))


def build_from_source(image):
    # Named, and so kept: installing the compilers takes longer than most changes take to compile.
    for target in (["--target", "toolchain", "--tag", TOOLCHAIN], ["--tag", image]):
        said = subprocess.run(["nice", "docker", "build", "--build-arg", "VERSION=0.0-test", *target, str(ROOT)], check=False,
                              stdout=sys.stdout, stderr=subprocess.STDOUT)
        if said.returncode:
            raise RuntimeError("docker build failed")
    # The stage that compiled has no name, and nobody wants it back.
    docker("image", "prune", "--force", "--filter", "label=shoal.stage=build")


def build_from_binary(image, binary=BINARY):
    said = subprocess.run(["nice", str(ROOT / "docker/quick.sh"), str(binary), image], capture_output=True, text=True, check=False)
    if said.returncode:
        raise RuntimeError(f"docker/quick.sh: {said.stdout}{said.stderr}")


def build_broker(from_source):
    """The second version differs only by its label: enough to be another image, which is what an upgrade sees."""
    source = source_of_image() if from_source else digest_of(BINARY, ROOT / "Dockerfile", *sorted(ROOT.glob("docker/*.sh")))
    if [label_of(image) for image in BROKER] == [source, source + "-two"]:
        return
    print(f"building {BROKER[0]} from {'source' if from_source else BINARY.relative_to(ROOT)}", flush=True)
    made = f"shoal-test/broker:made-{os.getpid()}"
    if from_source:
        build_from_source(made)
    else:
        build_from_binary(made)
    for image, its_source in zip(BROKER, (source, source + "-two")):
        label(made, image, its_source)
    docker("rmi", made)
    docker("image", "prune", "--force", "--filter", f"label={SOURCE_LABEL}")  # the versions before


def versions(are_two):
    """The images that a cluster begins with and is upgraded to. Where there is no version before, the two of BROKER."""
    commit = previous.commit() if are_two else None
    if commit is None:
        return BROKER
    source = digest_of(previous.binary(commit), ROOT / "Dockerfile", *sorted(ROOT.glob("docker/*.sh")))
    if label_of(PREVIOUS) != source:
        made = f"shoal-test/broker:made-{os.getpid()}"
        build_from_binary(made, previous.binary(commit))
        label(made, PREVIOUS, source)
        docker("rmi", made)
    return [PREVIOUS, BROKER[0]]


def label(made, image, source):
    subprocess.run(["docker", "build", "--quiet", "--tag", image, "-"], input=f"FROM {made}\nLABEL {SOURCE_LABEL}={source}\n",
                   text=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def build_all():
    subprocess.run(["bash", "tests/deploy/base_image.sh"], cwd=ROOT, check=True)
    build(HAPROXY, ROOT / "docker/haproxy")
    build(INSTANCE, ROOT / "tests/deploy/instance")
    build_broker("--from-source" in sys.argv[1:])


def make_users(file, users):
    """With the image's own command, as docs/deploy.md says."""
    file.touch()
    os.chmod(file, 0o600)
    for user, password in users:
        subprocess.run(["docker", "run", "--rm", "--interactive", "--volume", f"{file.parent}:/w", "--user", str(os.getuid()),
                        BROKER[0], "passwd", f"/w/{file.name}", user],
                       input=f"{password}\n{password}\n", text=True, check=True, capture_output=True)


def save(image, file):
    """As the module's image_archive wants it."""
    subprocess.run(f"docker save '{image}' | nice gzip -1 > '{file}'", shell=True, check=True)
