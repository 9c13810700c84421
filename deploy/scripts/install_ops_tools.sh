#!/usr/bin/env bash
# Installs what the files of deploy/ are checked with: promtool, from the system's own package of Prometheus (Debian, Ubuntu),
# which is unpacked and not installed, so that nothing is started and no rights are needed; and systemd-analyze, from the
# package systemd, which needs root, or a sudo that asks no password. Does nothing where both are there. Does what it can,
# says what it could not, and then exits with 1; the tests that need what is missing are skipped by name.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/apt_install.sh

say() { echo "install_ops_tools: $*" >&2; }

tools=node_modules/.cache/allocdb_ops_tools
has_promtool() { command -v promtool >/dev/null || [ -x "$tools/promtool" ]; }
has_systemd_analyze() { command -v systemd-analyze >/dev/null; }

# Of the package only this one program is kept.
unpack_promtool() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    say "no apt-get here: install promtool by the system's own means"
    return 1
  fi
  if [ ! -d node_modules ]; then
    say "node_modules is missing: npm test, or pnpm install, puts it there"
    return 1
  fi
  say "downloading promtool"
  local scratch
  scratch=$(mktemp -d)
  # apt drops its rights for downloads, and then cannot write where only we may.
  chmod 755 "$scratch"
  download() { (cd "$scratch" && timeout --kill-after=10 300 apt-get -o Acquire::Retries=2 download prometheus >/dev/null 2>&1); }
  # The package lists may be stale or absent: fetched only where downloading without them fails, and only by root.
  if ! download && [ "$(id -u)" -eq 0 ]; then
    apt update >/dev/null 2>&1
    download
  fi
  if dpkg -x "$scratch"/prometheus_*.deb "$scratch/root" 2>/dev/null; then
    mkdir -p "$tools"
    mv "$scratch/root/usr/bin/promtool" "$tools/promtool"
  fi
  rm -rf "$scratch"
}

has_promtool || unpack_promtool
has_systemd_analyze || install_packages systemd

status=0
has_promtool || { say "promtool is not there"; status=1; }
has_systemd_analyze || { say "systemd-analyze is not there"; status=1; }
if [ "$status" -eq 0 ]; then
  say "promtool and systemd-analyze are there"
else
  say "FAILED: not everything could be installed; what needs it is skipped"
fi
exit "$status"
