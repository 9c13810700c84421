#!/usr/bin/env bash
# Fetches the other major versions of Node that the client promises to run on, besides the one that runs everything else:
# from the npm registry, whose packages node-<platform>-<cpu> bring the program as it is released, into this repository's
# node_modules/.cache. Nothing is installed, and no script of a package is run. Does nothing where all are there. Does what it
# can, says what it could not, and then exits with 1; the tests under what is missing are skipped by name.
set -uo pipefail
cd "$(dirname "$0")/../../.."

say() { echo "install_nodes: $*" >&2; }

versions=(22 24)
cache=node_modules/.cache/allocdb_nodes
is_there() { "$cache/$1/node" --version 2>/dev/null | grep -q "^v$1\."; }

fetch() {
  if [ ! -d node_modules ]; then
    say "node_modules is missing: npm test, or pnpm install, puts it there"
    return 1
  fi
  local package scratch
  package=$(node -p '`node-${process.platform}-${process.arch}`')
  scratch=$(mktemp -d)
  say "downloading $package@$1"
  if timeout --kill-after=10 600 npm install --prefix "$scratch" --no-save --no-audit --no-fund --ignore-scripts --fetch-retries=1 \
    --loglevel=error "$package@$1" >"$scratch/log" 2>&1; then
    mkdir -p "$cache/$1"
    # Through a second name in the same directory: what stands under the first one is never half a program.
    mv "$scratch/node_modules/$package/bin/node" "$cache/$1/node.new" && mv "$cache/$1/node.new" "$cache/$1/node"
  else
    tail -n 20 "$scratch/log" >&2
  fi
  rm -rf "$scratch"
}

status=0
for version in "${versions[@]}"; do
  is_there "$version" || fetch "$version"
  is_there "$version" || { say "FAILED: no Node $version; the client is not tested under it"; status=1; }
done
[ "$status" -ne 0 ] || say "Node ${versions[*]} are there"
exit "$status"
