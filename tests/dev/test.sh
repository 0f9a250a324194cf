#!/bin/bash
# builds everything and runs every test in its short form
. tests/dev/common.sh
need build clang lint cluster e2e fault
asserting_libraft
exec "$python" tests/dev/test.py
