#!/usr/bin/env bash
# Installs what AllocDB is compared with: PostgreSQL and Redis from the system's own packages (Debian, Ubuntu), and the
# binary of better-sqlite3, downloaded or compiled, in this repository's node_modules. Does nothing where all are there.
# The packages need root, or a sudo that asks no password. Does what it can, says what it could not, and then exits with 1.
# Starts nothing: the comparison runs servers of its own, on ports and directories of its own.
set -uo pipefail
cd "$(dirname "$0")/.."
. ../../scripts/apt_install.sh

say() { echo "install_peers: $*" >&2; }

# Debian keeps PostgreSQL's programs off PATH, in a directory for each version.
has_postgres() { command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
has_redis() { command -v redis-server >/dev/null; }
has_sqlite() { node -e 'new (require("better-sqlite3"))(":memory:").close()' 2>/dev/null; }

# Not done by an ordinary installation of this repository, which would take minutes longer where there is no download.
install_sqlite() {
  local dir=node_modules/better-sqlite3
  if [ ! -d "$dir" ]; then
    say "node_modules is missing: npm test, or pnpm install, puts it there"
    return 1
  fi
  say "downloading or compiling the binary of better-sqlite3; takes up to a few minutes"
  # Headers that came with Node spare the compiler a download, which not every machine may make.
  local prefix
  prefix=$(dirname "$(dirname "$(node -p process.execPath)")")
  [ ! -f "$prefix/include/node/node.h" ] || export npm_config_nodedir="$prefix"
  local log
  log=$(mktemp)
  if ! (cd "$dir" && timeout --kill-after=10 900 npm run install) >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

missing=()
has_postgres || missing+=(postgresql)
has_redis || missing+=(redis-server)
[ "${#missing[@]}" -eq 0 ] || install_packages "${missing[@]}"
has_sqlite || install_sqlite

status=0
has_postgres || { say "PostgreSQL is not installed"; status=1; }
has_redis || { say "redis-server is not installed"; status=1; }
has_sqlite || { say "better-sqlite3 has no binary"; status=1; }
if [ "$status" -eq 0 ]; then
  say "PostgreSQL, Redis and better-sqlite3 are installed"
else
  say "FAILED: not everything could be installed; nothing of what is missing is compared, and its tests are skipped"
fi
exit "$status"
