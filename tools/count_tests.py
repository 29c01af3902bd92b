#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints "passed failed skipped" of a test log: meson's testlog.json (cmocka's own counts inside it), or JUnit XML."""
import json
import re
import sys
import xml.etree.ElementTree


def of_meson(path):
    passed = failed = skipped = 0
    for line in open(path):
        test = json.loads(line)
        text = test.get("stdout", "") + test.get("stderr", "")
        inner = [sum(map(int, re.findall(r"\[ +%s +\] (\d+) test" % word, text))) for word in ("PASSED", "FAILED", "SKIPPED")]
        if test["result"] == "SKIP":
            skipped += 1
        elif test["result"] != "OK":
            passed += inner[0]
            failed += max(inner[1], 1)
        else:
            passed += inner[0] or 1
            skipped += inner[2]
    return passed, failed, skipped


def of_junit(path):
    passed = failed = skipped = 0
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        failed += bool(kinds & {"failure", "error"})
        skipped += "skipped" in kinds
        passed += not kinds & {"failure", "error", "skipped"}
    return passed, failed, skipped


if __name__ == "__main__":
    try:
        print(*(of_meson if sys.argv[1].endswith(".json") else of_junit)(sys.argv[1]))
    except (OSError, ValueError, xml.etree.ElementTree.ParseError) as why:
        print(f"{sys.argv[1]}: {why}", file=sys.stderr)
        print(0, 1, 0)  # a log that is missing is a failure, not nothing
