#!/bin/bash
# builds everything and runs every test in its short form
. tests/dev/common.sh
. tests/deploy/tools.sh
need build clang lint cluster e2e fault
need_go
asserting_libraft
exec "$python" tests/dev/test.py
