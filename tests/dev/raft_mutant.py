"""Runs the Raft seam with one deliberate mistake until something notices: `raft_mutant.py NAME`."""
import mutations

# The directed schedules first, then seeds of each kind, the quickest to catch most first.
mutations.run("raft_sim", [("directed", ["--directed"], 0),
                           ("hard", ["--mix", "hard"], 200),
                           ("mix", ["--mix", "mix"], 200),
                           ("five", ["--mix", "hard", "--nodes", "5"], 100),
                           ("lone", ["--mix", "plain", "--nodes", "1"], 50),
                           ("grows", ["--mix", "grows"], 100)])
