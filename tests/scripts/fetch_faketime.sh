#!/bin/sh
# Prints where libfaketime is, which shows one process a clock of its own: the machine's, else
# Debian's, unpacked into the given folder. Nothing is installed. For Debian and its kin; elsewhere
# install it first.
set -eu
folder=$1
found() {
  for library in "$@"; do
    [ ! -f "$library" ] || { echo "$library"; exit 0; }
  done
}
name=faketime/libfaketimeMT.so.1
found /usr/lib/*/"$name" /usr/lib64/"$name" /usr/lib/"$name" /usr/local/lib/"$name"
command -v apt-get >/dev/null || { echo "please install libfaketime" >&2; exit 1; }
# One at a time: tests run in several processes, and apt does not wait for another one's lists.
exec 9>"${TMPDIR:-/tmp}/governance-tests-apt.lock"
flock 9
mkdir -p "$folder"
cd "$folder"
apt-get download -qq libfaketime 2>/dev/null || { apt-get update -qq; apt-get download -qq libfaketime; }
dpkg-deb -x libfaketime_*.deb .
found "$PWD"/usr/lib/*/"$name"
echo "Debian's libfaketime holds no $name" >&2
exit 1
