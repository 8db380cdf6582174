#!/bin/sh
# Installs what the runbook's own commands need and a bare machine may lack, and bubblewrap, which
# shows them a machine of their own.
# Other tools are installed if they are named: install_tools.sh systemd-analyze
# For Debian and its kin, as root; elsewhere install them with the system's own tools.
set -eu
missing=
[ $# -gt 0 ] || set -- curl jq sqlite3 gzip lsof bwrap
for tool; do
  command -v "$tool" >/dev/null || missing="$missing $tool"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "please install:$missing (the tests run them as operators do)" >&2
  exit 1
fi
# One at a time: tests run in several processes, and apt does not wait for another one's lists.
exec 9>"${TMPDIR:-/tmp}/governance-tests-apt.lock"
flock 9
apt-get update -qq
# Word splitting is what makes a list of the names.
# shellcheck disable=SC2046
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  $(echo "$missing" | sed "s/bwrap/bubblewrap/; s/systemd-analyze/systemd/")
