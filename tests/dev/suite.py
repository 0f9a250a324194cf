"""The pieces that `./dev test`, check, sim, fuzz and lint are made of; each finds what exists in its folder."""
import os

from pieces import ROOT, Piece

CORES = os.cpu_count() or 1
PYTHON = "/usr/bin/python3"
FUZZ_INPUTS = 200_000  # a target, in the short form
SIM_SEEDS = 300        # in the short form
GROWING_SEEDS = 100    # of clusters that grow and shrink
UPGRADE_SEEDS = 60     # of clusters of two versions
FROM_ONE_SEEDS = 60    # of those that one node founds
BACKUP_SEEDS = 60      # of clusters of which backups are taken
MOVING_SEEDS = 60     # of clusters whose clients go from worker to worker
RAFT_SEEDS = 300       # on each build of libraft, in the short form

# What the simulation of Raft groups is asked for: (kind of faults, founding voters, share of the seeds).
RAFT_MIXES = [("mix", 3, 0.3), ("hard", 3, 0.3), ("hard", 5, 0.2), ("slow", 5, 0.1), ("plain", 1, 0.1),
              ("grows", 3, 0.2)]

# What opens sockets or waits for real time; not run beside anything else.
REAL_TIME = {"runtime", "rpc", "client", "serve", "engine"}
# What several threads touch; built once more with the thread sanitizer.
THREADS = ["runtime", "rpc", "client", "serve", "engine"]


def folders_with_tests():
    return sorted({f.parent.name for f in ROOT.glob("tests/*/*_test.cc")})


def unit(preset, folders=None):
    """One piece a test program of a preset: (those for beside each other, those for alone)."""
    # A seed of the simulated stores takes ten times as long with sanitizers.
    env = {} if preset == "release" else {"STORE_SIM_SEEDS": "6"}
    pieces = [(folder, Piece(f"{preset}/{folder}_test", [f"build/{preset}/{folder}_test", "--gtest_brief=1"], env=env))
              for folder in folders_with_tests() if folders is None or folder in folders]
    return ([p for folder, p in pieces if folder not in REAL_TIME],
            [p for folder, p in pieces if folder in REAL_TIME])


def thread_targets():
    return [f"{folder}_test" for folder in folders_with_tests() if folder in THREADS]


def sims(preset, first, seeds, nodes, options=()):
    """The seeds [first, first + seeds) in one share a core."""
    if not (ROOT / "tests/sim/simulate.cc").exists():
        return []
    shares = min(CORES, seeds)
    pieces = []
    for share in range(shares):
        begin = first + seeds * share // shares
        count = first + seeds * (share + 1) // shares - begin
        name = " ".join([f"{preset}/simulate", *options, f"{begin}..{begin + count - 1}"])
        pieces.append(Piece(name, [f"build/{preset}/simulate", "--seed", str(begin), "--seeds", str(count),
                                   "--nodes", str(nodes), *options], timeout_s=3600))
    return pieces


def raft_seeds(preset, mix, nodes, first, seeds, shares):
    """Seeds of one kind for the simulation of Raft groups, in so many pieces."""
    pieces = []
    for share in range(min(shares, seeds)):
        begin = first + seeds * share // shares
        count = first + seeds * (share + 1) // shares - begin
        pieces.append(Piece(f"{preset}/raft_sim {mix} {nodes} {begin}..{begin + count - 1}",
                            [f"build/{preset}/raft_sim", "--seed", str(begin), "--seeds", str(count),
                             "--nodes", str(nodes), "--mix", mix], timeout_s=3600))
    return pieces


def raft_sims(preset, first, seeds):
    """The kinds of RAFT_MIXES, each with its share; and the directed schedules."""
    pieces = [Piece(f"{preset}/raft_sim directed", [f"build/{preset}/raft_sim", "--directed"])]
    for mix, nodes, share in RAFT_MIXES:
        pieces += raft_seeds(preset, mix, nodes, first, max(1, round(seeds * share)), 1)
    return pieces


def mutants():
    """One piece a deliberate mistake, of those that each list names: its simulation must notice it."""
    pieces = []
    for folder, script in (("sim", "mutant.py"), ("raft", "raft_mutant.py"), ("replica", "store_mutant.py")):
        listed = ROOT / "tests" / folder / "mutations.txt"
        lines = listed.read_text().splitlines() if listed.exists() else []
        names = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
        pieces += [Piece(f"mutant/{name}", [PYTHON, f"tests/dev/{script}", name]) for name in names]
    return pieces


def fuzzers(names=None, inputs=FUZZ_INPUTS):
    """One piece a libFuzzer target; new inputs go to build/, the committed corpus is only read."""
    pieces = []
    for source in sorted(ROOT.glob("tests/fuzz/fuzz_*.cc")):
        if names and source.stem not in names:
            continue
        found = ROOT / "build/fuzz/corpus" / source.stem
        crashes = ROOT / "build/fuzz/crashes"
        found.mkdir(parents=True, exist_ok=True)
        crashes.mkdir(parents=True, exist_ok=True)
        command = [f"build/dev/{source.stem}", f"-runs={inputs}", "-timeout=20", "-rss_limit_mb=4096",
                   # Choosing by how rare a feature is, and naming each new function, took four fifths of the time.
                   "-entropic=0", "-print_funcs=0", "-print_final_stats=1",
                   f"-artifact_prefix={crashes}/{source.stem}-", str(found)]
        corpus = ROOT / "tests/fuzz/corpus" / source.stem
        if corpus.is_dir():
            command.append(str(corpus))
        pieces.append(Piece(source.stem, command, timeout_s=max(600, inputs / 200)))
    return pieces


def sources(*suffixes):
    folders = ["include", "node", "cluster", "tests", "cmake"]
    return sorted(str(f.relative_to(ROOT)) for folder in folders for f in (ROOT / folder).rglob("*")
                  if f.suffix in suffixes)


def shell_scripts():
    return ["dev", ".ci/run"] + sorted(str(f.relative_to(ROOT)) for f in ROOT.glob("*/**/*.sh")
                                       if f.relative_to(ROOT).parts[0] != "build")


def lint():
    pieces = [Piece("lint/tidy", [PYTHON, "tests/tidy.py", "--strict"]),
              Piece("lint/shellcheck", ["shellcheck", "-x", *shell_scripts()])]
    if sources(".cc", ".h"):
        pieces.append(Piece("lint/clang-format", ["clang-format-16", "--dry-run", "-Werror", "--ferror-limit=3",
                                                  *sources(".cc", ".h", ".c")]))
    return pieces


def e2e():
    return [Piece(f"e2e/{f.stem}", [PYTHON, str(f.relative_to(ROOT))], timeout_s=900)
            for f in sorted(ROOT.glob("tests/e2e/*_test.py"))] + \
        [Piece("e2e/fault", [PYTHON, "tests/fault/run.py", "--short"], timeout_s=300),
         Piece("e2e/fault judge", [PYTHON, "tests/fault/judge_test.py"], timeout_s=300)]


def deploy():
    """What ./dev deploy-test can tell in minutes; it installs what it needs, and skips by name what needs a Docker Engine."""
    return [Piece("deploy", ["./dev", "deploy-test", "--short"], timeout_s=3600)]


def build_command(preset, *targets):
    return ["bash", "-c", '. tests/dev/common.sh; build "$@"', "build", preset, *targets]
