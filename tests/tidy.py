#!/usr/bin/python3
"""Checks that no compiler makes: who includes what, lengths, words, specification tags without a test.

  tests/tidy.py                 all checks; a statement without a test is only counted
  tests/tidy.py --strict        ... is an error, as is a docs/conformance.md that the tags do not give
  tests/tidy.py --conformance   writes docs/conformance.md from the tags
"""
import argparse
import csv
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
CODE = ("include", "node", "cluster", "tests", "cmake", "proto")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

# A folder may include itself and these, by their paths from the root; the waist is spelled "shoal/x.h".
WAIST = ("shoal",)
RULES = WAIST + ("node/rules",)
BROKER = RULES + ("node/codec",)
CLUSTER = RULES + ("proto/shoal", "cluster/core", "cluster/shard")
MAY_INCLUDE = {
    "include/shoal": WAIST,
    "node/rules": WAIST,
    "node/codec": RULES,
    "node/broker": BROKER,
    "node/auth": RULES,
    "node/config": WAIST,
    "node/cli": WAIST + ("node/auth", "node/config"),
    "node/runtime": BROKER + ("node/broker", "node/auth", "node/config"),
    "node/client": BROKER + ("node/config", "proto/shoal"),
    "cluster/core": RULES + ("proto/shoal", "cluster/replica", "cluster/shard", "cluster/raft"),
    "cluster/shard": RULES,
    "cluster/raft": RULES,
    "cluster/storage": CLUSTER,
    "cluster/engine": CLUSTER + ("cluster/raft", "cluster/replica", "cluster/storage"),
    "cluster/rpc": CLUSTER,
}
# A system header, by its start, and the only folders that may include it.
NO_FOLDER = ()
ONLY_IN = {
    "boost/": ("node/runtime", "node/client", "node/serve", "cmake"),
    "openssl/": ("node/runtime", "node/client", "node/auth", "node/cli", "cluster/rpc"),
    "grpc": ("cluster/rpc",),
    "rocksdb/": ("cluster/storage",),
    "zstd.h": ("node/client",),
    "raft.h": ("cluster/raft",),
    "raft/": NO_FOLDER,
    "google/protobuf/": ("cluster/core", "cluster/rpc", "cluster/storage"),
    "absl/synchronization/": NO_FOLDER,  # not instrumented: a false race under the thread sanitizer
}
# The folders that decide: no threads, clocks, files, sockets or randomness of their own.
PURE = ("include/shoal", "node/rules", "node/codec", "node/broker", "cluster/core", "cluster/shard",
        "cluster/raft")
ONE_FILE = {"raft.h": "cluster/raft/engine.c"}  # no C++ compiler takes it
NOT_PURE = re.compile(r"(thread|mutex|shared_mutex|condition_variable|future|semaphore|chrono|ctime|time\.h|random|"
                      r"fstream|filesystem|iostream|unistd\.h|fcntl\.h|poll\.h|(sys|netinet|arpa)/.*|"
                      r"absl/(time|random)/.*|spdlog/.*)$")

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
TAG = re.compile(r"\[MQTT(5|311)-(\d+(?:\.\d+)+-\d+)\]")
MUTATED = re.compile(r'SHOAL_MUTATED\("([a-z0-9-]+)"\)')
WORDS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:root|home|work|Users)/\w[\w./-]*")
FUNCTION_START = re.compile(r"^( *)(?! |if\b|for\b|while\b|switch\b|else\b|do\b|catch\b|namespace\b|class\b|struct\b|enum\b|\})"
                            r".*\)[^;=()]*\{$")


def files(folders, suffixes):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file() and "__pycache__" not in path.parts:
                yield path


def shown(path):
    return str(path.relative_to(ROOT))


def lines_of(path):
    return path.read_text(errors="replace").splitlines()


class Report:
    """Collects what each check finds; a check without an error counts as passed."""

    def __init__(self):
        self.failed, self.passed = [], []
        self.errors = self.warnings = 0

    def error(self, where, what):
        print(f"{where}: {what}")
        self.errors += 1

    def warning(self, where, what):
        print(f"{where}: warning: {what}")
        self.warnings += 1

    def run(self, check):
        before = self.errors
        check(self)
        (self.failed if self.errors > before else self.passed).append(check.__name__)


# -- who includes what ---------------------------------------------------------------------------------------------

def folder_of(path):
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[:-1][:2])


def include_problem(path, project, system):
    """Why this file may not include this header, or None."""
    folder = folder_of(path)
    if system:
        if ONE_FILE.get(system, shown(path)) != shown(path):
            return f"<{system}> belongs to {ONE_FILE[system]} alone"
        for start, folders in ONLY_IN.items():
            if system.startswith(start) and folder not in folders:
                return f"<{system}> belongs to {', '.join(folders) or 'no folder'}"
        if folder in PURE and NOT_PURE.match(system):
            return f"<{system}>: {folder} decides, it does nothing itself"
        return None
    if folder not in MAY_INCLUDE:
        return None
    if not project.startswith(tuple(allowed + "/" for allowed in MAY_INCLUDE[folder] + (folder,))):
        return f'"{project}": {folder} may not see it'
    if ".grpc.pb.h" in project and folder != "cluster/rpc":
        return f'"{project}": services are for cluster/rpc alone'
    return None


def includes(report):
    for path in files(("include", "node", "cluster", "cmake"), {".h", ".cc", ".c"}):
        for number, line in enumerate(lines_of(path), 1):
            found = INCLUDE.match(line)
            problem = found and include_problem(path, *found.groups())
            if problem:
                report.error(f"{shown(path)}:{number}", problem)


def headers_once(report):
    for path in files(CODE, {".h"}):
        if "#pragma once" not in path.read_text():
            report.error(shown(path), "no #pragma once")


# -- lengths -------------------------------------------------------------------------------------------------------

def functions_of(lines):
    """(first line's number, length) of each function, as clang-format lays them out."""
    for start, line in enumerate(lines):
        found = FUNCTION_START.match(line)
        if not found:
            continue
        indent = len(found.group(1))
        for end in range(start + 1, len(lines)):
            closing = lines[end].lstrip()
            if closing.startswith("}") and len(lines[end]) - len(closing) <= indent:
                yield start + 1, end - start + 1
                break


def lengths(report):
    for path in files(("include", "node", "cluster", "tests"), {".h", ".cc", ".c", ".py"}):
        lines = lines_of(path)
        if len(lines) > FILE_LINES_MAX:
            report.warning(shown(path), f"{len(lines)} lines; does a part of it have a name?")
        if path.suffix != ".py":
            for number, length in functions_of(lines):
                if length > FUNCTION_LINES_MAX:
                    report.warning(f"{shown(path)}:{number}", f"a function of {length} lines")


# -- words ---------------------------------------------------------------------------------------------------------

def texts():
    """Every text file of the project; not the licence's, which is others' words."""
    skipped_folders = {".git", "build", "__pycache__", "corpus"}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(f for f in folders if f not in skipped_folders)
        for name in sorted(names):
            path = pathlib.Path(folder) / name
            data = b"\0" if path.is_symlink() or name in ("LICENSE", ".git") else path.read_bytes()
            if b"\0" not in data:
                yield path, data.decode(errors="replace").splitlines()


def apt_hosts():
    """The hosts that this machine's packages come from, but Debian's own public name."""
    configured = [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt").glob("*.d/*")]
    hosts = set()
    for path in configured:
        if path.is_file():
            # Comments name where an idea came from, not where packages do.
            text = re.sub(r"^\s*(#|//).*$", "", path.read_text(errors="replace"), flags=re.M)
            hosts.update(re.findall(r"[a-z]+://(?:[^/@\s]+@)?([A-Za-z0-9.-]+)", text))
    return {host for host in hosts if not re.fullmatch(r"(deb|security|www)\.debian\.org|debian\.org", host)}


def words(report):
    hosts = apt_hosts()
    checkout = str(ROOT) + "/"
    for path, lines in texts():
        for number, line in enumerate(lines, 1):
            where = f"{shown(path)}:{number}"
            if WORDS.search(line):
                report.error(where, f"'{WORDS.search(line).group()}': do it, or write an issue")
            found = MACHINE_PATH.search(line)
            if found or (len(checkout) > 2 and checkout in line):
                report.error(where, f"a path of one machine: {found.group() if found else checkout}")
            for host in hosts:
                if host in line:
                    report.error(where, "names a package host of this machine")


# -- specification tags --------------------------------------------------------------------------------------------

def statements():
    with open(ROOT / "tests/conformance/statements.tsv", encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


def tags_in(folders, suffixes):
    """(version, id) -> the files that carry the tag."""
    tags = {}
    for path in files(folders, suffixes):
        for tag in TAG.findall(path.read_text(errors="replace")):
            tags.setdefault(tag, [])
            if shown(path) not in tags[tag]:
                tags[tag].append(shown(path))
    return tags


def tags_of_rules():
    return tags_in(("include", "node", "cluster"), {".h", ".cc"})


def tags_of_tests():
    return tags_in(("tests",), {".h", ".cc", ".py", ".txt"})


def tagged(version, number):
    return f"[MQTT{version}-{number}]"


def tags(report):
    known = {(s["version"], s["id"]) for s in statements()}
    for used in (tags_of_rules(), tags_of_tests()):
        for tag, where in used.items():
            if tag not in known:
                report.error(where[0], f"{tagged(*tag)} is not in tests/conformance/statements.tsv")


def mutations(report):
    """Each deliberate mistake in the code is listed, so that it is run, and each that is listed is there."""
    listed = {line.split()[0]: shown(path) for path in (ROOT / "tests").glob("*/mutations.txt")
              for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")}
    in_code = {name: shown(path) for path in files(("node", "cluster"), {".h", ".cc"})
               for name in MUTATED.findall(path.read_text())}
    for name in sorted(in_code.keys() - listed.keys()):
        report.error(in_code[name], f"the mutation {name} is in no tests/*/mutations.txt")
    for name in sorted(listed.keys() - in_code.keys()):
        report.error(listed[name], f"the mutation {name} is not in the code")


def missing_tests():
    """(statements without a test, tags of rules without a test), both as they are printed."""
    tested = tags_of_tests()
    listed = [tagged(s["version"], s["id"]) for s in statements()
              if not s["untestable"] and (s["version"], s["id"]) not in tested]
    used = [f"{tagged(*tag)} ({where[0]})" for tag, where in sorted(tags_of_rules().items()) if tag not in tested]
    return listed, used


def coverage(report):
    for missing in missing_tests():
        for tag in missing:
            report.error("tests/conformance/statements.tsv", f"{tag} has no test")


def say_coverage():
    listed, used = missing_tests()
    print(f"specification: {len(statements()) - len(listed)} of {len(statements())} statements have a test or a reason; "
          f"{len(used)} tags of rules have no test")


def conformance_page():
    rules, tests = tags_of_rules(), tags_of_tests()
    out = ["# Conformance", "",
           "Every normative statement of MQTT 5.0 and 3.1.1 that binds a server, in our words; the file of the rule that carries its",
           "tag and the test that carries it too. Written by `tests/tidy.py --conformance`; the statements are those of",
           "`tests/conformance/statements.tsv`. The packets of both versions share one decoder, so a rule may stand in one file for both."]
    for version, title in (("5", "MQTT 5.0"), ("311", "MQTT 3.1.1")):
        out += ["", f"## {title}", "", "| statement | the server must | rule | test |", "|---|---|---|---|"]
        for s in statements():
            if s["version"] == version:
                tag = (version, s["id"])
                test = ", ".join(tests.get(tag, [])) or s["untestable"]
                text = s["statement"].replace("|", "\\|")
                out.append(f"| {s['id']} | {text} | {', '.join(rules.get(tag, []))} | {test} |")
    return "\n".join(out) + "\n"


CONFORMANCE = ROOT / "docs/conformance.md"


def conformance(report):
    if not CONFORMANCE.is_file() or CONFORMANCE.read_text() != conformance_page():
        report.error("docs/conformance.md", "is not what the tags give: run tests/tidy.py --conformance")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--strict", action="store_true", help="a statement or a tag without a test is an error")
    parser.add_argument("--conformance", action="store_true", help="write docs/conformance.md")
    options = parser.parse_args()
    if options.conformance:
        CONFORMANCE.write_text(conformance_page())
        return 0
    report = Report()
    strict = (coverage, conformance) if options.strict else ()
    for check in (includes, headers_once, lengths, words, tags, mutations) + strict:
        report.run(check)
    say_coverage()
    if report.warnings:
        print(f"{report.warnings} warnings")
    print(f"{len(report.passed)} passed, {len(report.failed)} failed")
    return 1 if report.failed else 0


sys.exit(main())
