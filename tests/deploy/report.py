"""Counts checks, prints each, and ends in the line that ./dev reads."""
import re
import time


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.started = time.monotonic()

    def check(self, name, holds, otherwise=""):
        """`otherwise` is shown where the check fails."""
        took = f"[{time.monotonic() - self.started:6.1f} s]"
        if holds:
            self.passed += 1
            print(f"ok      {took} {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAILED  {took} {name}", flush=True)
            print("\n".join("        | " + line for line in str(otherwise).splitlines()[-40:]), flush=True)
        return holds

    def equal(self, name, got, want):
        return self.check(name, got == want, f"got  {got}\nwant {want}")

    def that(self, name, process):
        """A finished program that must have succeeded."""
        return self.check(name, process.returncode == 0, process.stdout + process.stderr)

    def add_terraform_test(self, process):
        """`terraform test` counts its own runs."""
        counts = re.search(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\.", process.stdout)
        if not counts or process.returncode != 0:
            self.check("terraform test", False, process.stdout + process.stderr)
            return
        self.passed += int(counts.group(1))
        print(f"ok      terraform test: {counts.group(0)}", flush=True)

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0
