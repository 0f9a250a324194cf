"""`./dev check`: the quick loop. Unit tests and a few hundred seeds under ASan+UBSan, and tidy."""
import pieces
import suite


def main():
    outcomes = [pieces.run_build("build/dev", suite.build_command("dev"))]
    beside, alone = suite.unit("dev")
    outcomes += pieces.run(beside + suite.sims("dev", 1, 200, 3) + suite.lint(), suite.CORES)
    outcomes += pieces.run(alone, 1)
    return pieces.finish(None, "./dev check", outcomes)


pieces.on_interrupt(main)
