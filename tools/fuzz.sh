#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/fuzz.sh SECONDS [TARGET...]: runs each libFuzzer target of build-clang/ for so long. New inputs that reach new code
# stay in build-clang/corpus/; the corpora in the tree are the start. The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")/.."
seconds=${1:?tools/fuzz.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- $(ls build-clang/tests/fuzz/ | sed -n 's/^fuzz-\([a-z_]*\)$/\1/p')
passed=0
failed=0
for target in "$@"; do
  mkdir -p "build-clang/corpus/$target"
  if "build-clang/tests/fuzz/fuzz-$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -artifact_prefix="build-clang/corpus/crash-$target-" \
    "build-clang/corpus/$target" "tests/fuzz/corpus/$target" >"build-clang/corpus/$target.log" 2>&1; then
    passed=$((passed + 1))
    echo "$target: $(grep -E '^Done|DONE' "build-clang/corpus/$target.log" | tail -n 1)"
  else
    failed=$((failed + 1))
    echo "$target FAILED"
    tail -n 25 "build-clang/corpus/$target.log"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
