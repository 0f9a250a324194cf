#!/bin/bash
# [NAME...] [--inputs N]: the fuzz targets, 200,000 inputs each by default
. tests/dev/common.sh
need build clang
exec "$python" tests/dev/fuzz.py "$@"
