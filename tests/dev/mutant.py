"""Runs simulated clusters with one deliberate mistake until a checker notices: `mutant.py NAME`."""
import sys

import mutations

SEEDS_MAX = 600
KNOWN = {"full-queue-accepts": 345, "large-overtakes": 65, "lease-not-waited-for": 85}
# What is at work in clusters of one kind alone.
KINDS = {"placement": [("growing", ["--grows"], 200),  # moves replicas as nodes come and go
                       ("from one", ["--grows", "--nodes", "1"], 100)],
         "level": [("upgrades", ["--upgrades"], 60)]}
KIND = KINDS.get(sys.argv[1].partition("-")[0], [("simulate", [], SEEDS_MAX)])

mutations.run("simulate", KIND, KNOWN)
