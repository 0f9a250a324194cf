"""`./dev lint`: layout, shell scripts, and what no compiler checks (tests/tidy.py)."""
import pieces
import suite

pieces.on_interrupt(lambda: pieces.finish(None, "./dev lint", pieces.run(suite.lint(), suite.CORES)))
