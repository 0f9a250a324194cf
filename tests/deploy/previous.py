"""The broker as it was before its last change, so that a cluster is upgraded from one version to another."""
import shutil
import subprocess

from standin import ROOT

BROKER = ["node", "cluster", "proto", "include"]
FOLDER = ROOT / "build" / "previous"


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def commit():
    """The last one before HEAD in which the broker differs from HEAD's; None where the history does not go back so far."""
    for candidate in git("rev-list", "--first-parent", "HEAD").stdout.split():
        if git("diff", "--quiet", candidate, "HEAD", "--", *BROKER).returncode == 1:
            return candidate
    return None


def binary(of):
    """Its release binary, built once; what was built of other commits goes, and the compiler's cache keeps it."""
    source = FOLDER / of[:12]
    made = source / "build/release/shoal"
    if made.exists():
        return made
    shutil.rmtree(FOLDER, ignore_errors=True)
    source.mkdir(parents=True)
    print(f"building the broker of {of[:12]}", flush=True)
    build = (f"git archive {of} | tar -x -C '{source}' && cd '{source}' && "
             "cmake --preset release -DSHOAL_TESTS=OFF -DSHOAL_BENCHES=OFF > configure.log && "
             "nice cmake --build build/release --target shoal")
    said = subprocess.run(["bash", "-o", "pipefail", "-c", build], cwd=ROOT, capture_output=True, text=True, check=False)
    if said.returncode:
        shutil.rmtree(source)
        raise RuntimeError(f"the broker of {of[:12]} cannot be built: {said.stdout[-2000:]}{said.stderr[-2000:]}")
    return made
