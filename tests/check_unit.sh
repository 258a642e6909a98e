#!/bin/sh
# The systemd unit names every secret that the program knows, and systemd (where it is installed)
# takes it and finds it well locked. Prints what is wrong.
#   tests/check_unit.sh PROGRAM
set -u
bad=0
for name in $("$1" doctor --config-example | sed -n 's/^# Secret: \([A-Z_]*\),.*/\1/p') NANO_SEED; do
    grep -qx "LoadCredential=$name" deploy/nanotik.service ||
        { echo "deploy/nanotik.service: LoadCredential=$name is missing"; bad=1; }
done
command -v systemd-analyze >/dev/null || exit $bad
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/bin"
cp "$1" "$folder/bin/nanotik"
sed "s|@PREFIX@|$folder|g" deploy/nanotik.service >"$folder/nanotik.service"
said=$(systemd-analyze verify "$folder/nanotik.service" 2>&1) || bad=1
printf '%s' "$said"
systemd-analyze security --offline=true --threshold=20 "$folder/nanotik.service" >"$folder/log" 2>&1 ||
    { tail -n 1 "$folder/log"; bad=1; }
exit $bad
