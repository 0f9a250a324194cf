"""`./dev fuzz [NAME...] [--inputs N]`: each libFuzzer target for so many inputs."""
import argparse

import pieces
import suite


def main():
    parser = argparse.ArgumentParser(prog="./dev fuzz")
    parser.add_argument("names", nargs="*", metavar="NAME", help="fuzz_decode, for instance; default: all")
    parser.add_argument("--inputs", type=int, default=suite.FUZZ_INPUTS, help="of each target")
    options = parser.parse_args()
    chosen = suite.fuzzers(options.names, options.inputs)
    if len(chosen) < len(options.names):
        parser.error("known targets: " + " ".join(p.name for p in suite.fuzzers()))
    outcomes = [pieces.run_build("build/dev", suite.build_command("dev", *(p.name for p in chosen)))]
    outcomes += pieces.run(chosen, suite.CORES)
    return pieces.finish("fuzz", f"./dev fuzz --inputs {options.inputs}", outcomes)


pieces.on_interrupt(main)
