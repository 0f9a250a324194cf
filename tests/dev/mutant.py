"""Runs simulated clusters with one deliberate mistake until a checker notices: `mutant.py NAME`."""
import sys

import mutations

SEEDS_MAX = 600
KNOWN = {"full-queue-accepts": 345, "large-overtakes": 65, "lease-not-waited-for": 85}
# What moves replicas is at work where nodes come and go alone.
GROWS = sys.argv[1].startswith("placement-")

mutations.run("simulate", [("growing", ["--grows"], 200), ("from one", ["--grows", "--nodes", "1"], 100)] if GROWS
              else [("simulate", [], SEEDS_MAX)], KNOWN)
