"""The small S3 server of `s3/`: built where Go is there, and running for a test."""
import contextlib
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "e2e" / "s3"
SERVER = ROOT / "build" / "s3" / "server"


def build():
    """The program, built when it is not there; None without Go."""
    if shutil.which("go") is None:
        return None
    SERVER.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["nice", "go", "build", "-trimpath", "-o", str(SERVER), "."], cwd=SOURCE, check=True)
    return SERVER


@contextlib.contextmanager
def running(keys, directory, tls=False, address=None):
    """Its URL, and the file of its authority. It knows the bucket "backups", and listens on loopback or at `address`."""
    id_and_secret = list(keys.values())
    env = {**os.environ, "S3_KEY": id_and_secret[0], "S3_SECRET": id_and_secret[1], "S3_ADDRESS": address or "127.0.0.1"}
    cert = f"{directory}/s3.crt"
    if tls:
        key = f"{directory}/s3.key"
        names = f"IP:{address}" if address else "DNS:localhost"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=s3", "-addext", f"subjectAltName={names}", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        env.update(S3_CERT=cert, S3_TLS_KEY=key)
    with subprocess.Popen([str(SERVER)], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield f"{'https' if tls else 'http'}://{address or 'localhost'}:{process.stdout.readline().strip()}", cert
        finally:
            process.kill()
