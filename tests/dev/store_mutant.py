"""Runs simulated stores with one deliberate mistake until a checker notices: `store_mutant.py NAME`."""
import sys

import mutations

SEEDS_MAX = 120
KNOWN = {"backup-new-items-sent": 115, "backup-without-hold": 403}

BACKUPS = ["--backups"] if sys.argv[1].startswith("backup-") else []

mutations.run("store_sim", [("store_sim", BACKUPS, SEEDS_MAX)], KNOWN)
