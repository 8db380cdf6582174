#!/bin/sh
# Unpacks Debian's Prometheus and promtool into the given folder and prints where they are: nothing
# is installed, and no server is started. For Debian and its kin; elsewhere put both on the path.
# apt-get works for one process at a time, and tests run in several: they take turns.
set -eu
folder=$1
tools=$folder/usr/bin
if [ ! -x "$tools/prometheus" ]; then
  command -v apt-get >/dev/null || { echo "please put prometheus and promtool on the path" >&2; exit 1; }
  mkdir -p "$folder"
  cd "$folder"
  exec 9>"${TMPDIR:-/tmp}/governance-tests-apt-$(id -u).lock"
  flock 9
  fetch() { apt-get -o Acquire::Retries=3 -qq "$@"; }
  fetch download prometheus 2>/dev/null || { fetch update; fetch download prometheus; }
  dpkg-deb -x prometheus_*.deb .
fi
echo "$tools"
