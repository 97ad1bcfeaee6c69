#!/usr/bin/env bash
# Checks this deployment: formatting, validity, the tests of its wiring, and, where an emulator is given, the whole life of it:
# apply, an empty second plan, destroy.
#
#   infra/terraform/check.sh [--emulator http://127.0.0.1:PORT]
#
# Works on a copy, so that the checkout stays as it is. Without terraform or the AWS provider it says LEFT OUT and succeeds, but in CI
# (CI=true) it fails. Exit: 0 passed or left out, 1 failed, 2 wrong arguments.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=
child=
watchdog=
applied=
emulator=

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

left_out() {
  printf 'LEFT OUT: the Terraform checks: %s\n' "$*"
  case "${CI:-}" in
    '' | 0 | false) exit 0 ;;
    *) fail 'In CI they may not be left out.' ;;
  esac
}

arguments() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --emulator)
        [ $# -ge 2 ] || usage '--emulator needs a URL'
        emulator=$2
        shift
        ;;
      --emulator=*) emulator=${1#*=} ;;
      *) usage "unknown argument $1" ;;
    esac
    loopback "$emulator" ||
      usage "--emulator is $emulator: only this machine's own addresses are taken, as http://127.0.0.1:PORT"
    shift
  done
}

usage() {
  printf '%s\nusage: %s [--emulator http://127.0.0.1:PORT]\n' "$1" "$0" >&2
  exit 2
}

# What is applied here must never reach an account, so the whole URL has to fit: no user part, no host that only begins like one.
loopback() {
  [[ $1 =~ ^http://(127(\.[0-9]{1,3}){3}|localhost|\[::1\]):[0-9]{1,5}/?$ ]]
}

# run SECONDS LOG COMMAND...: bounded, and in a process group of its own: an interrupt must reach Terraform once, from stop() below.
# At the second one it gives up without writing its state.
run() {
  local limit=$1 log=$2 code=0
  shift 2
  set -m
  "$@" >"$log" 2>&1 </dev/null &
  child=$!
  (
    sleep "$limit"
    echo "stopped after $limit s" >>"$log"
    kill -TERM "$child"
    sleep 30
    kill -KILL "$child"
  ) >/dev/null 2>&1 </dev/null &
  watchdog=$!
  disown "$watchdog"
  set +m
  wait "$child" || code=$?
  child=
  call_off_watchdog
  return "$code"
}

# By KILL, because while stopping TERM is ignored, and a watchdog inherits that.
call_off_watchdog() {
  [ -z "$watchdog" ] || kill -KILL -- "-$watchdog" 2>/dev/null || true
  watchdog=
}

# step SECONDS WHAT COMMAND...: one line with what is done and how long it took; the command's output only where it fails.
step() {
  local limit=$1 what=$2 begin=$SECONDS
  shift 2
  printf '  %-52s ' "$what"
  if run "$limit" "$work/log" "$@"; then
    printf 'ok   %3d s\n' $((SECONDS - begin))
    return
  fi
  printf 'FAIL %3d s\n' $((SECONDS - begin))
  cat "$work/log"
  exit 1
}

# Whatever the way out: nothing keeps running, nothing stays on the emulator, nothing stays on the disk.
stop() {
  local code=$?
  trap '' INT TERM
  if [ -n "$child" ]; then
    kill -TERM "$child" 2>/dev/null || true
    wait "$child" || true
    call_off_watchdog
  fi
  if [ -n "$applied" ]; then
    echo '  destroying what was applied'
    run 180 "$work/log" on_emulator destroy -auto-approve || cat "$work/log"
  fi
  [ -z "$work" ] || rm -rf "$work"
  exit "$code"
}

find_terraform() {
  local version
  command -v terraform >/dev/null || left_out 'terraform is not on PATH; install 1.11 or newer.'
  version=$(terraform version 2>/dev/null | sed -n '1s/^Terraform v\([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
  read -r major minor <<<"${version:-0 0}"
  [ "$major" -gt 1 ] || { [ "$major" -eq 1 ] && [ "$minor" -ge 11 ]; } ||
    left_out "the tests need Terraform 1.11 or newer, and this one is $major.$minor."
}

# A stranger's variables, arguments and workspace are none of these checks' business.
clean_environment() {
  local name
  for name in "${!TF_VAR_@}" "${!TF_CLI_ARGS@}" TF_WORKSPACE TF_DATA_DIR TF_LOG TF_LOG_PATH; do unset "$name"; done
  export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_INPUT=0
  if [ -n "${TF_CLI_CONFIG_FILE:-}" ] && [ ! -e "$TF_CLI_CONFIG_FILE" ]; then unset TF_CLI_CONFIG_FILE; fi
}

copy_module() {
  mkdir "$work/terraform"
  cp -R "$here/." "$work/terraform"
  find "$work/terraform" \( -name .terraform -o -name .terraform.lock.hcl -o -name '*.tfstate*' -o -name '*.tfvars*' -o -name '*_override.tf' \) \
    -prune -exec rm -rf {} +
}

mirrors() {
  local dir
  for dir in "${TF_PLUGIN_CACHE_DIR:-}" "$HOME/.terraform.d/plugins" "$HOME/.terraform.d/plugin-cache" \
    "${XDG_DATA_HOME:-$HOME/.local/share}/terraform/plugins" /usr/local/share/terraform/plugins /usr/share/terraform/plugins \
    /usr/local/share/terraform/providers /usr/share/terraform/providers; do
    if [ -n "$dir" ] && [ -d "$dir/registry.terraform.io/hashicorp/aws" ]; then printf '%s\n' "$dir"; fi
  done
}

# init_from DIR -chdir=MODULE: takes the provider from a folder that must stay as it is. A plugin cache, from the environment or a configuration file, has
# to be off meanwhile: Terraform would install into it what it reads, and where that leads back to the cache, replace the provider by a link to nothing.
init_from() {
  : >"$work/empty.tfrc"
  exec env -u TF_PLUGIN_CACHE_DIR TF_CLI_CONFIG_FILE="$work/empty.tfrc" terraform "$2" init -backend=false -no-color "-plugin-dir=$1"
}

# The provider as this machine would have it, else from a mirror on it. A registry that can't be reached is told in seconds; a download
# may take its time.
init_module() {
  local module=-chdir=$work/terraform begin=$SECONDS dir config
  printf '  %-52s ' 'init'
  if TF_REGISTRY_CLIENT_TIMEOUT=10 TF_REGISTRY_DISCOVERY_RETRY=0 run 240 "$work/log" terraform "$module" init -backend=false -no-color; then
    printf 'ok   %3d s\n' $((SECONDS - begin))
    return
  fi
  cp "$work/log" "$work/init.log"
  while read -r dir; do
    if run 60 "$work/log" init_from "$dir" "$module"; then
      printf 'ok   %3d s  (from %s)\n' $((SECONDS - begin)) "$dir"
      return
    fi
  done < <(mirrors)
  if [ -x "$root/../shared/terraform-mirror.sh" ] && config=$("$root/../shared/terraform-mirror.sh") &&
    run 60 "$work/log" env -u TF_PLUGIN_CACHE_DIR TF_CLI_CONFIG_FILE="$config" terraform "$module" init -backend=false -no-color; then
    printf 'ok   %3d s  (from a mirror on this machine)\n' $((SECONDS - begin))
    return
  fi
  printf 'none %3d s\n' $((SECONDS - begin))
  sed -n '/Error/,$p' "$work/init.log" | head -8
  left_out 'the AWS provider can be had neither from the registry nor from a mirror on this machine.'
}

# The example takes the provider that the module has got.
init_example() {
  step 60 'init of examples/complete' init_from "$work/terraform/.terraform/providers" "-chdir=$example"
}

# A variable or an output that the page doesn't name is one that nobody finds.
documented() {
  local name missing=
  printf '  %-52s ' 'README names every variable and output'
  while read -r name; do
    grep -q "^| \`$name\` |" "$here/README.md" || missing="$missing $name"
  done < <(sed -nE 's/^(variable|output) "([a-z0-9_]+)".*/\2/p' "$here/variables.tf" "$here/outputs.tf")
  if [ -n "$missing" ]; then
    printf 'FAIL\n'
    fail "  README.md lacks:$missing"
  fi
  printf 'ok\n'
}

# The functions aren't run here, so what is in their packages doesn't matter where none were built.
find_packages() {
  packages=$root/dist
  if [ -f "$packages/plan.zip" ] && [ -f "$packages/renew.zip" ]; then return; fi
  packages=$work/packages
  mkdir "$packages"
  printf '#!/bin/sh\nexit 1\n' >"$packages/bootstrap"
  if command -v zip >/dev/null; then
    (cd "$packages" && zip -q plan.zip bootstrap && cp plan.zip renew.zip)
  elif command -v python3 >/dev/null; then
    (cd "$packages" && python3 -m zipfile -c plan.zip bootstrap && cp plan.zip renew.zip)
  else
    fail 'There is nothing to deploy: run "make package" first (or install zip or python3 for empty packages).'
  fi
}

# Nothing of the caller's environment gets in: no profile, no token, no other endpoint, no proxy.
on_emulator() {
  local verb=$1
  shift
  exec env -i PATH="$PATH" HOME="$work" TMPDIR="$work" CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_INPUT=0 \
    AWS_ENDPOINT_URL="$emulator" AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=emulator AWS_SECRET_ACCESS_KEY=emulator \
    AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null NO_PROXY='*' \
    TF_VAR_name="$name" TF_VAR_packages="$packages" TF_VAR_deletion_protection=false TF_VAR_acme_email=tls@example.com \
    terraform "-chdir=$example" "$verb" -no-color "$@"
}

# An emulator has no account to ask about, and a call that it doesn't know should fail now and not after ten minutes of retries.
write_override() {
  cat >"$example/emulator_override.tf" <<'HCL'
provider "aws" {
  max_retries                 = 1
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
}
HCL
}

live_and_die() {
  local left
  emulator=${emulator%/}
  name=check-$$
  find_packages
  write_override
  applied=yes
  step 400 'apply on the emulator' on_emulator apply -auto-approve
  step 120 'second plan is empty' on_emulator plan -detailed-exitcode
  step 180 'destroy' on_emulator destroy -auto-approve
  applied=
  left=$(terraform "-chdir=$example" state list)
  [ -z "$left" ] || fail "  left behind: $left"
}

main() {
  arguments "$@"
  trap stop EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  echo 'Terraform:'
  find_terraform
  clean_environment
  work=$(mktemp -d)
  example=$work/terraform/examples/complete
  copy_module
  documented
  step 30 'formatting' terraform "-chdir=$work/terraform" fmt -check -diff -recursive
  init_module
  step 60 'validate' terraform "-chdir=$work/terraform" validate -no-color
  init_example
  step 60 'validate examples/complete' terraform "-chdir=$example" validate -no-color
  step 240 'tests' terraform "-chdir=$work/terraform" test -no-color
  if [ -n "$emulator" ]; then
    live_and_die
  else
    echo '  apply, second plan and destroy: not asked for (--emulator URL)'
  fi
  echo "  all of it in $SECONDS s"
}

main "$@"
