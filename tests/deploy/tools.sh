# Sourced by the deployment tests, after tests/dev/common.sh: Go and Terraform, from the PATH or else made here.
# shellcheck shell=bash

go_minimum=1.23
terraform_minimum=1.9
# The newest OpenTofu that Go 1.23 builds.
opentofu_version=v1.9.4

# at_least VERSION MINIMUM
at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]; }

go_version() { go env GOVERSION 2>/dev/null | sed 's/^go//'; }

# Debian 12's own Go is too old for the plugin library; its backports have one that is not.
need_go() {
  if command -v go >/dev/null && at_least "$(go_version)" "$go_minimum"; then
    return 0
  fi
  local bin=/usr/lib/go-$go_minimum/bin
  if [[ ! -x $bin/go ]]; then
    echo "dev: installing Go $go_minimum from its backports"
    update_with_backports
    install_packages -t "${backports:?}" "golang-$go_minimum-go"
  fi
  export PATH=$bin:$PATH
}

terraform_version() { "$1" version -json 2>/dev/null | sed -n 's/.*"terraform_version": "\([0-9.]*\).*/\1/p'; }

# Leaves the program in $terraform, and on the PATH, where the inventory script looks for it. What is missing is an error
# or made here, never a reason to skip a test.
need_terraform() {
  local name
  for name in terraform tofu; do
    if command -v "$name" >/dev/null && at_least "$(terraform_version "$name")" "$terraform_minimum"; then
      terraform=$(command -v "$name")
      export terraform
      return 0
    fi
  done
  terraform=$PWD/build/deploy/opentofu-$opentofu_version/tofu
  [[ -x $terraform ]] || build_opentofu "$terraform"
  export terraform PATH=${terraform%/*}:$PATH
}

# Through the Go module proxy. `go install` refuses a module with replace directives, so that a module of our own
# takes them over and builds the program as a dependency.
build_opentofu() {
  local made=$1 module=github.com/opentofu/opentofu work source
  echo "deploy-test: no terraform or tofu $terraform_minimum on the PATH: building OpenTofu $opentofu_version, which takes minutes"
  work=$(mktemp -d)
  mkdir -p "$(dirname "$made")"
  (
    set -e
    cd "$work" || exit
    export GOTOOLCHAIN=local GOFLAGS=-mod=mod
    source=$(go mod download -json "$module@$opentofu_version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    { echo "module build"; sed -n '/^go /p; /^replace /p' "$source/go.mod"; echo "require $module $opentofu_version"; } > go.mod
    cp "$source/go.sum" go.sum
    nice go build -trimpath -ldflags '-s -w' -o "$made" "$module/cmd/tofu"
  )
  rm -rf "$work"
}
