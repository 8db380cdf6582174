#!/bin/sh
# Prints where libfaketime is, which shows one process a clock of its own: the machine's, else
# Debian's, unpacked into the given folder. Nothing is installed. For Debian and its kin; elsewhere
# install it first. apt-get works for one process at a time, and tests run in several: they take turns.
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
mkdir -p "$folder"
cd "$folder"
exec 9>"${TMPDIR:-/tmp}/governance-tests-apt-$(id -u).lock"
flock 9
fetch() { apt-get -o Acquire::Retries=3 -qq "$@"; }
fetch download libfaketime 2>/dev/null || { fetch update; fetch download libfaketime; }
dpkg-deb -x libfaketime_*.deb .
found "$PWD"/usr/lib/*/"$name"
echo "Debian's libfaketime holds no $name" >&2
exit 1
