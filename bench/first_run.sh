#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From nothing to a console that answers: git clone of this checkout into an empty folder, ./run, and the clock.
#
#   bench/first_run.sh                 on this machine, with what is installed on it
#   sudo bench/first_run.sh --bare     in a new Debian 12 that has nothing but what Debian calls minimal, and git
#
# --bare needs root, the package debootstrap, and the network: the time includes downloading everything. The system is made
# in a temporary folder (FOLDER=... keeps it and uses it again as long as it is bare) and shares this machine's kernel.
# PORTS="9443 9883" are the ports to use. SETUP=FILE runs a script inside the bare system first, for a mirror or a proxy.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
ports=${PORTS:-9443 9883}
work=$(mktemp -d)
chmod 0755 "$work"

say() { printf '%s\n' "$*"; }
now() { date +%s.%N; }
since() { echo "$(now) $1" | awk '{printf "%.1f s", $1 - $2}'; }

# The first run: started here or in the bare system, watched from outside, stopped when three devices report.
first_run() {
  begun=$(now)
  "$@" >"$work/run.log" 2>&1 &
  run=$!
  until curl -sk -o /dev/null "https://127.0.0.1:${ports% *}/"; do
    kill -0 "$run" 2>/dev/null || { cat "$work/run.log"; say "./run ended before its console answered"; exit 1; }
    sleep 0.2
  done
  say "clone and ./run until the console answers: $(since "$begun")"
  until grep -q '^Ctrl-C' "$work/run.log"; do
    kill -0 "$run" 2>/dev/null || { cat "$work/run.log"; say "./run ended before it was done"; exit 1; }
    sleep 0.2
  done
  say "... until three devices report: $(since "$begun")"
  sed 's/^/    /' "$work/run.log"
  begun=$(now)
  # unshare, when it stands between, keeps signals to itself: what it started is ./run.
  case $1 in unshare) kill -TERM $(cat "/proc/$run/task/$run/children") ;; *) kill -TERM "$run" ;; esac
  wait "$run" || true
  say "stopped in $(since "$begun")"
}

script="set -eu; git clone -q \"\$1\" \"\$2\"; cd \"\$2\"; exec ./run --http-port ${ports% *} --mqtt-port ${ports#* }"

bare() {
  [ "$(id -u)" = 0 ] || { say "--bare needs root"; exit 1; }
  root=${FOLDER:-$work/debian}
  [ -e "$root/etc/debian_version" ] ||
    debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" >"$work/debootstrap.log" ||
    { tail -n 20 "$work/debootstrap.log"; exit 1; }
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  [ -z "${SETUP:-}" ] || { cp "$SETUP" "$root/root/setup"; chroot "$root" sh /root/setup; }
  # Namespaces of their own: what is mounted and started in there ends with it.
  git clone -q --bare "$top" "$root/root/holdfast.git"
  first_run unshare --mount --pid --fork --kill-child sh -c "
    mount -t proc proc '$root/proc' && mount --rbind /dev '$root/dev' && mount -t sysfs sysfs '$root/sys' &&
    exec chroot '$root' /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c '$script' first-run /root/holdfast.git /root/holdfast"
}

trap 'rm -rf "$work"' EXIT
case ${1:-} in
  --bare) bare ;;
  "") first_run sh -c "$script" first-run "$top" "$work/holdfast" ;;
  *) sed -n '3,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
