# Installing packages of the system (Debian, Ubuntu) for tests: sourced by the scripts that need some, which define `say`.
# Needs root, or a sudo that asks no password. Nothing that is installed is started: a package that would start a server is
# kept from it by a policy file, which is removed again; one that is there already is the system's and stays.

as_root=()
policy=/usr/sbin/policy-rc.d

apt() {
  timeout --kill-after=10 300 "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get --yes -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 "$@"
}

forbid_starts() {
  [ -e "$policy" ] && return
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
}

install_packages() {
  if ! command -v apt-get >/dev/null; then
    say "no apt-get here: install $* by the system's own means"
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
      say "needs root, or sudo without a password, to install $*"
      return 1
    fi
    as_root=(sudo -n)
  fi
  say "installing $*"
  forbid_starts
  # The package lists may be stale or absent: fetched only where installing without them fails.
  apt install --no-install-recommends "$@" >/dev/null 2>&1 && return
  apt update >/dev/null
  apt install --no-install-recommends "$@" >/dev/null
}
