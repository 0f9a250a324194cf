#!/bin/bash
# [--short | --only=STEP,...]: the Terraform module, the playbooks, the images and a whole cluster of containers, without a cloud
. tests/dev/common.sh
. tests/deploy/tools.sh
need cluster e2e deploy
need_go
need_terraform
exec "$python" tests/deploy/deploy_test.py "$@"
