"""The images of the tests: the base, a bare instance, HAProxy, and the broker in two versions. Made where missing."""
import hashlib
import pathlib
import subprocess

from standin import ROOT

INSTANCE, HAPROXY = "shoal-test/instance", "shoal-test/haproxy"
BROKER = ["shoal-test/broker:one", "shoal-test/broker:two"]
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


def build_broker(binary):
    """The second version differs only by its label: enough to be another image, which is what an upgrade sees."""
    source = digest_of(binary, ROOT / "Dockerfile", *sorted(ROOT.glob("docker/*.sh")))
    if [label_of(image) for image in BROKER] == [source, source + "-two"]:
        return
    print(f"building {BROKER[0]} from {binary.relative_to(ROOT)}", flush=True)
    made = "shoal-test/broker:made"
    said = subprocess.run(["nice", str(ROOT / "docker/quick.sh"), str(binary), made], capture_output=True, text=True, check=False)
    if said.returncode:
        raise RuntimeError(f"docker/quick.sh: {said.stdout}{said.stderr}")
    for image, label in zip(BROKER, (source, source + "-two")):
        subprocess.run(["docker", "build", "--quiet", "--tag", image, "-"], input=f"FROM {made}\nLABEL {SOURCE_LABEL}={label}\n",
                       text=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    docker("rmi", made)


def build_all(binary=ROOT / "build/release/shoal"):
    subprocess.run(["bash", "tests/deploy/base_image.sh"], cwd=ROOT, check=True)
    build(HAPROXY, ROOT / "docker/haproxy")
    build(INSTANCE, ROOT / "tests/deploy/instance")
    build_broker(pathlib.Path(binary))


def save(image, file):
    """As the module's image_archive wants it."""
    subprocess.run(f"docker save '{image}' | nice gzip -1 > '{file}'", shell=True, check=True)
