#!/bin/sh
# Unpacks Debian's Prometheus and promtool into the given folder and prints where they are: nothing
# is installed, and no server is started. For Debian and its kin; elsewhere put both on the path.
set -eu
folder=$1
tools=$folder/usr/bin
if [ ! -x "$tools/prometheus" ]; then
  command -v apt-get >/dev/null || { echo "please put prometheus and promtool on the path" >&2; exit 1; }
  # One at a time: tests run in several processes, and apt does not wait for another one's lists.
  exec 9>"${TMPDIR:-/tmp}/governance-tests-apt.lock"
  flock 9
  mkdir -p "$folder"
  cd "$folder"
  apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq; apt-get download -qq prometheus; }
  dpkg-deb -x prometheus_*.deb .
fi
echo "$tools"
