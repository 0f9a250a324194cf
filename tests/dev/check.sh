#!/bin/bash
# the quick loop: unit tests and seeds under ASan+UBSan, and lint; minutes
. tests/dev/common.sh
need build clang lint
exec "$python" tests/dev/check.py
