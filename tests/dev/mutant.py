"""Runs simulated clusters with one deliberate mistake until a checker notices: `mutant.py NAME`."""
import mutations

SEEDS_MAX = 600
KNOWN = {"claim-asks-nobody": 355, "full-queue-accepts": 185, "large-overtakes": 55}

mutations.run("simulate", [("simulate", [], SEEDS_MAX)], KNOWN)
