#!/bin/sh
# Unpacks Debian's promtool into the given folder and prints its path: nothing is installed, and
# no server is started. For Debian and its kin; elsewhere put promtool on the path.
set -eu
folder=$1
tool=$folder/usr/bin/promtool
if [ ! -x "$tool" ]; then
  command -v apt-get >/dev/null || { echo "please put Prometheus' promtool on the path" >&2; exit 1; }
  mkdir -p "$folder"
  cd "$folder"
  apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq; apt-get download -qq prometheus; }
  dpkg-deb -x prometheus_*.deb .
fi
echo "$tool"
