#!/bin/sh
# Installs what the runbook's own commands need and a bare machine may lack, and bubblewrap, which
# shows them a machine of their own.
# Other tools are installed if they are named: install_tools.sh systemd-analyze
# For Debian and its kin, as root; elsewhere install them with the system's own tools.
# apt-get works for one process at a time, and tests run in several: they take turns.
set -eu
[ $# -gt 0 ] || set -- curl jq sqlite3 gzip lsof bwrap
look() {
  missing=
  for tool; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
  done
  [ -n "$missing" ] || exit 0
}
look "$@"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "please install:$missing (the tests run them as operators do)" >&2
  exit 1
fi
exec 9>"${TMPDIR:-/tmp}/governance-tests-apt-$(id -u).lock"
flock 9
look "$@"
apt-get -o Acquire::Retries=3 update -qq
# Word splitting is what makes a list of the names.
# shellcheck disable=SC2046
DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 install -y -qq --no-install-recommends \
  $(echo "$missing" | sed "s/bwrap/bubblewrap/; s/systemd-analyze/systemd/")
