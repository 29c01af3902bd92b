#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the public test suites for MQTT brokers that are on this machine against a broker, and says of each test how it went.

    mqtt_suites.py HOST PORT [--suites FOLDER] [--only SUITE]... [--json FILE]

The suites are others' work and no part of this repository: FOLDER (or the environment's HOLDFAST_MQTT_SUITES) is where copies
of their sources lie. The broker must let anybody in, publish and subscribe anywhere:

    holdfastd --set mqtt.plain=true --set mqtt.insecure-anonymous=true

A failure that known_errors.py shows to be the suite's own is counted apart. Exit status: 0 all passed, 1 something failed,
77 no suite is here.

A driver (run_*.py) is called with the suite's folder, host, port, and the names of tests that are done, as JSON. It prints
one JSON object a line: {"test", "outcome", "detail"}, where the outcome is begun, passed, failed or skipped. A test that
says nothing for too long has failed: its driver is ended, and another one goes on behind it."""
import argparse
import collections
import json
import os
import pathlib
import queue
import socket
import subprocess
import sys
import threading

from known_errors import known

HERE = pathlib.Path(__file__).resolve().parent
SILENCE_S = 75     # the longest test that is well waits 20 s for a keep-alive
NO_SUITE = 77

Suite = collections.namedtuple("Suite", "name about marker driver words")
SUITES = [
    Suite("paho-3.1.1", "Eclipse Paho's interoperability tests for 3.1.1 (project eclipse-paho/paho.mqtt.testing)",
          "interoperability/client_test.py", "run_unittest.py", ["interoperability/client_test.py"]),
    Suite("paho-5.0", "Eclipse Paho's interoperability tests for 5.0 (project eclipse-paho/paho.mqtt.testing)",
          "interoperability/client_test5.py", "run_unittest.py", ["interoperability/client_test5.py"]),
    Suite("mosquitto-sequences", "Eclipse Mosquitto's sequences of packets (project eclipse-mosquitto/mosquitto, 2.1 and later)",
          "test/broker/data/CONNECT.json", "run_sequences.py", []),
    Suite("mosquitto-scripts", "Eclipse Mosquitto's broker tests (project eclipse-mosquitto/mosquitto, 2.1 and later)",
          "test/broker/msg_sequence_test.py", "run_scripts.py", []),
    Suite("mqtt5-conformance", "the conformance tests for 5.0 of the project LabOverWire/mqtt-lib, built: its program "
          "mqtt5-conformance in a folder of that name", "mqtt5-conformance", "run_libtest.py", ["mqtt5-conformance"]),
]


def find(folder, marker):
    """The suite's folder: the given one or one right below it."""
    if folder:
        for place in [folder, *sorted(one for one in folder.iterdir() if one.is_dir())]:
            if (place / marker).is_file():
                return place
    return None


def lines_of(process):
    """Its lines, each with a deadline; None when it is silent for too long."""
    lines = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=SILENCE_S)
        except queue.Empty:
            yield None
            return
        if not line:
            return
        yield json.loads(line)


def run_driver(suite, place, host, port, results):
    """Once; adds to the results. The test at which it hung or broke off, None when it came to its end."""
    command = [sys.executable, "-W", "ignore", str(HERE / suite.driver), str(place), host, str(port), json.dumps(list(results))]
    with subprocess.Popen(command + suite.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        errors = []
        threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True).start()
        begun = None
        for said in lines_of(process):
            if said is None:
                process.kill()
                results[begun] = ("failed", f"no end after {SILENCE_S} s")
                return begun
            begun = said["test"] if said["outcome"] == "begun" else None
            if not begun:
                results[said["test"]] = (said["outcome"], said["detail"])
                tell(suite, said["test"], results)
        status = process.wait()
    if begun or status:
        results[begun or "(driver)"] = ("failed", f"the driver ended with {status}: " + " ".join(errors[-3:]))
    return begun


def tell(suite, test, results):
    """The line of one test; a known error of the suite is marked in the results too."""
    outcome, detail = results[test]
    if outcome == "failed" and (row := known(suite.name, test)):
        why, clause = row
        results[test] = outcome, detail = "suite error", f"{why}. {clause}"
    print(f"{outcome:11}  {suite.name}  {test}" + (f"  ({detail})" if detail else ""), flush=True)


def run_suite(suite, place, host, port):
    results = {}
    while stuck := run_driver(suite, place, host, port, results):
        tell(suite, stuck, results)
    if "(driver)" in results:
        tell(suite, "(driver)", results)
    return results


def wishes():
    parser = argparse.ArgumentParser(description="public MQTT test suites against a broker")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--suites", type=pathlib.Path, default=os.environ.get("HOLDFAST_MQTT_SUITES"))
    parser.add_argument("--only", action="append", choices=[suite.name for suite in SUITES])
    parser.add_argument("--json", type=pathlib.Path)
    wish = parser.parse_args()
    wish.suites = pathlib.Path(wish.suites) if wish.suites else None
    return wish


def main():
    wish = wishes()
    with socket.create_connection((wish.host, wish.port), timeout=10):
        pass  # says at once when nobody is there
    everything = {}
    for suite in SUITES:
        if wish.only and suite.name not in wish.only:
            continue
        place = find(wish.suites, suite.marker)
        if place:
            everything[suite.name] = run_suite(suite, place, wish.host, wish.port)
        else:
            print(f"absent       {suite.name}: {suite.about}. To run it, put a copy of its sources into the folder that "
                  "--suites or HOLDFAST_MQTT_SUITES names.", flush=True)
    counts = collections.Counter(outcome for results in everything.values() for outcome, _ in results.values())
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no suite is here")
    if wish.json:
        wish.json.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    return NO_SUITE if not everything else 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
