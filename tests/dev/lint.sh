#!/bin/bash
# clang-format, shellcheck and tests/tidy.py
. tests/dev/common.sh
need lint
exec "$python" tests/dev/lint.py
