#!/bin/sh
# Installs those of the named Debian packages that are missing. Says nothing when none is; all that
# it says goes to standard error, since standard output belongs to the program started afterwards.
set -eu
exec >&2

if ! command -v dpkg-query >/dev/null 2>&1; then
    exit 0 # not Debian: the compiler will say what is missing
fi

newline='
'
known=$newline$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)$newline
missing=
for package in "$@"; do
    case $known in
    *"$newline$package installed$newline"*) ;;
    *) missing="$missing $package" ;;
    esac
done
if [ -z "$missing" ]; then
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "These packages are missing and there is no sudo. As root: apt-get install$missing"
        exit 1
    fi
    as_root=sudo
fi

echo "Installing Debian packages:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1 || {
        status=$?
        tail -n 30 "$log"
        echo "apt-get $1 failed. Needed:$missing"
        exit "$status"
    }
}
apt update
# shellcheck disable=SC2086 # a list of names
apt install --no-install-recommends $missing
