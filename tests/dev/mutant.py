"""Runs simulated clusters with one deliberate mistake until a checker notices: `mutant.py NAME`."""
import mutations

SEEDS_MAX = 600

mutations.run("simulate", [("simulate", [], SEEDS_MAX)])
