"""Runs simulated stores with one deliberate mistake until a checker notices: `store_mutant.py NAME`."""
import mutations

SEEDS_MAX = 120
KNOWN = {"store-busy-entries-dropped": 105, "store-portion-unanswered": 95}

mutations.run("store_sim", [("store_sim", [], SEEDS_MAX)], KNOWN)
