#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All tests: the house check, units and corpora under ASan and UBSan, simulations, end to end with real peers, the console in
# a browser. The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")"
. tools/setup.sh

usage() {
  cat <<'TEXT'
./test [--only house|clang|unit|e2e|console]

Installs what is missing from Debian and npm, builds with gcc (release and sanitizers) and clang, and runs every test.
  --only PART   just that part
TEXT
}

only=all
while [ $# -gt 0 ]; do
  case $1 in
    --only) [ $# -ge 2 ] || die "--only needs a part; ./test --help"; only=$2; shift ;;
    -h | --help) usage; exit 0 ;;
    *) die "no such option: $1; ./test --help" ;;
  esac
  shift
done
case $only in all | house | clang | unit | e2e | console) ;; *) die "no such part: $only; ./test --help" ;; esac

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
wants() { [ "$only" = all ] || [ "$only" = "$1" ]; }
begin() { step "$1"; date +%s >"$results/clock"; }
end() { say "    $1 ($(($(date +%s) - $(cat "$results/clock"))) s)"; }
# count PART PASSED FAILED SKIPPED
count() { printf '%s %s %s\n' "$2" "$3" "$4" >>"$results/counts"; end "$1: $2 passed, $3 failed, $4 skipped"; }

# shellcheck disable=SC2086
need_packages $build_packages $test_packages
need_console
need_users

begin "building with gcc (build/)"
build build
end built

if wants house; then
  begin "the house: floor plan, sizes, banned words, writable globals"
  if tools/house.py --objects build; then count house 1 0 0; else count house 0 1 0; fi
fi

if wants clang; then
  begin "building with clang, warnings are errors (build-clang/)"
  if CC=clang build build-clang -Dfuzzers=true; then count clang 1 0 0; else count clang 0 1 0; fi
  begin "every fuzz target for a few seconds"
  tools/fuzz.sh 3 >"$results/fuzz" 2>&1 || tail -n 40 "$results/fuzz"
  count fuzz $(tail -n 1 "$results/fuzz" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' | grep . || echo "0 1") 0
fi

if wants unit; then
  begin "units, simulations and corpora under ASan and UBSan (build-asan/)"
  build build-asan -Db_sanitize=address,undefined -Db_lundef=false
  meson test -C build-asan --no-rebuild --print-errorlogs >"$results/unit" 2>&1 || grep -vE '^ *[0-9]+/[0-9]+ .* OK ' "$results/unit"
  # shellcheck disable=SC2046
  count unit $(tools/count_tests.py build-asan/meson-logs/testlog.json)
fi

end_to_end() {
  begin "$1"
  shift
  /usr/bin/python3 -m pytest -q -p no:cacheprovider --junitxml "$results/e2e.xml" "$@"
  # shellcheck disable=SC2046
  count "end to end" $(tools/count_tests.py "$results/e2e.xml")
}
if wants e2e; then end_to_end "end to end, with real peers" tests/e2e; fi
if wants console; then end_to_end "the console in Chromium" tests/console; fi

say
awk '{p += $1; f += $2; s += $3} END {printf "%d passed, %d failed", p, f; if (s) printf ", %d skipped", s; print ""; exit f > 0 || p == 0}' \
  "$results/counts"
