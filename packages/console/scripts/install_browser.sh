#!/usr/bin/env bash
# Installs the browser that the console is tested in: Chromium from the system's own packages (Debian, Ubuntu). Does nothing
# where it is there. Says what it could not do, and then exits with 1; the tests that need it are skipped by name.
set -uo pipefail
cd "$(dirname "$0")/.."
. ../../scripts/apt_install.sh

say() { echo "install_browser: $*" >&2; }

has_chromium() { command -v chromium >/dev/null; }

has_chromium || install_packages chromium
if has_chromium; then
  say "Chromium is installed"
else
  say "FAILED: no Chromium; the console is not tested in a browser"
  exit 1
fi
