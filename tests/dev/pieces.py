"""Runs pieces of the tests (a build, a test program, a batch of seeds), several at once, and adds up what they say.

A piece is a command. Its counts are read from its output: "N passed, N failed[, N skipped]" as our own programs print it,
or GoogleTest's summary; a piece that says neither counts as one, by its exit status. A piece that fails lets the others run.
"""
import dataclasses
import datetime
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "logs"
STILL_RUNNING_S = 20  # say what is running after so long without a word

OURS = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
OURS_SKIPPED = re.compile(r"^skipped: (.+)$", re.M)
GTEST = {
    "passed": re.compile(r"^\[  PASSED  \] (\d+) tests?\.", re.M),
    "skipped": re.compile(r"^\[  SKIPPED \] (\d+) tests?, listed below:", re.M),
}
GTEST_FAILED = re.compile(r"^\[  FAILED  \] (\S+\.\S+?),? ", re.M)  # a brief run lists them nowhere else
GTEST_SKIPPED = re.compile(r"^\[  SKIPPED \] (\S+\.\S+)$", re.M)

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    # gRPC and Protobuf are not instrumented: what they hand between threads looks like a race.
    "TSAN_OPTIONS": f"ignore_noninstrumented_modules=1:suppressions={ROOT}/tests/dev/tsan.supp",
    "ASAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-16",
    "TSAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-16",
}


@dataclasses.dataclass
class Piece:
    name: str
    command: list
    timeout_s: float = 600
    env: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Outcome:
    name: str
    passed: int
    failed: int
    skipped: list
    seconds: float

    @property
    def line(self):
        word = "FAILED" if self.failed else "ok"
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"{word:6} {self.name:28} {self.passed} passed, {self.failed} failed{skipped}  ({self.seconds:.1f} s)"


def counts_of(text, status):
    """(passed, failed, names of the skipped) of a finished piece."""
    ours = OURS.findall(text)
    gtest = {word: pattern.findall(text) for word, pattern in GTEST.items()}
    skipped = []
    if ours:
        passed, failed, skipped_count = (int(n or 0) for n in ours[-1])
        skipped = OURS_SKIPPED.findall(text)
        skipped += ["without a name"] * (skipped_count - len(skipped))
    elif any(gtest.values()):
        passed, failed = sum(map(int, gtest["passed"])), len(set(GTEST_FAILED.findall(text)))
        skipped = sorted(set(GTEST_SKIPPED.findall(text)))
    else:
        passed, failed = (1, 0) if status == 0 else (0, 1)
    if status != 0 and failed == 0:
        failed = 1  # it died after, or before, it had counted
    return passed, failed, skipped


class Running:
    def __init__(self, piece):
        self.piece = piece
        self.started = time.monotonic()
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = LOGS / (piece.name.replace("/", "-").replace(" ", "-") + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                piece.command, cwd=ROOT, env={**os.environ, **SANITIZERS, **piece.env}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def seconds(self):
        return time.monotonic() - self.started

    def stop(self):
        """Ends it with everything that it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def outcome_if_done(self):
        late = self.seconds() > self.piece.timeout_s
        if self.process.poll() is None and not late:
            return None
        self.stop()
        text = self.log.read_text(errors="replace")
        passed, failed, skipped = counts_of(text, 1 if late else self.process.returncode)
        outcome = Outcome(self.piece.name, passed, failed, skipped, self.seconds())
        print(outcome.line, flush=True)
        for name in skipped:
            print(f"       skipped: {name}")
        if failed:
            if late:
                print(f"       stopped after {self.piece.timeout_s:.0f} s")
            print("\n".join("       | " + line for line in text.splitlines()[-40:]))
            print(f"       all of it: {self.log.relative_to(ROOT)}", flush=True)
        return outcome


def run(pieces, at_once):
    """Runs the pieces in order, `at_once` at a time; their outcomes."""
    waiting, running, outcomes = list(pieces), [], []
    spoke = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(Running(waiting.pop(0)))
            for one in list(running):
                outcome = one.outcome_if_done()
                if outcome:
                    running.remove(one)
                    outcomes.append(outcome)
                    spoke = time.monotonic()
            if time.monotonic() - spoke > STILL_RUNNING_S:
                print("       ... " + ", ".join(f"{r.piece.name} ({r.seconds():.0f} s)" for r in running), flush=True)
                spoke = time.monotonic()
            time.sleep(0.05)
    finally:
        for one in running:
            one.stop()
    return outcomes


def run_build(name, command):
    """A build shows its own progress; one outcome."""
    started = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
    outcome = Outcome(name, int(status == 0), int(status != 0), [], time.monotonic() - started)
    print(outcome.line, flush=True)
    return outcome


def commit():
    def git(*args):
        return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    changed = git("status", "--porcelain", "--", ".", ":!docs/evidence")
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def write_evidence(name, command, outcomes, final, figures=""):
    """docs/evidence/NAME.md: what ran, on which commit, and what came of it."""
    rows = "\n".join(f"| {o.name} | {o.passed} | {o.failed} | {len(o.skipped)} | {o.seconds:.1f} |" for o in outcomes)
    folder = ROOT / "docs" / "evidence"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(
        f"# `{command}`\n\n"
        f"- Date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC\n"
        f"- Commit: {commit()}\n"
        f"- Cores: {os.cpu_count()}\n"
        f"- Result: {final}\n\n"
        f"| piece | passed | failed | skipped | seconds |\n|---|---|---|---|---|\n{rows}\n{figures}")


def finish(name, command, outcomes, figures=""):
    """Prints the last line, writes the evidence (where `name` is given); the exit status."""
    passed, failed = sum(o.passed for o in outcomes), sum(o.failed for o in outcomes)
    skipped = [s for o in outcomes for s in o.skipped]
    if os.environ.get("CI") == "true" and skipped:
        print(f"a skipped test is a failure here (CI=true): {', '.join(skipped)}")
        failed += len(skipped)
        skipped = []
    final = f"{passed} passed, {failed} failed" + (f", {len(skipped)} skipped" if skipped else "")
    if name:
        write_evidence(name, command, outcomes, final, figures)
    print(final, flush=True)
    return 1 if failed or not passed else 0


def on_interrupt(main):
    """Runs `main` as a program; Ctrl-C and SIGTERM end its pieces and it, without a traceback."""
    def stop(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, stop)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
