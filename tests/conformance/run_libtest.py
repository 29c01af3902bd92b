# SPDX-License-Identifier: Apache-2.0
"""Runs the program of the mqtt5-conformance suite, which speaks as Rust's test programs do, for mqtt_suites.py, which says how
a driver talks.

    run_libtest.py SUITE HOST PORT DONE PROGRAM

What the broker can do is told to the suite as what Holdfast offers; it skips what is not offered."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

OFFERED = """
name = "broker"
address = "mqtt://{host}:{port}"
[capabilities]
max_qos = 2
retain_available = true
wildcard_subscription_available = true
subscription_identifier_available = true
shared_subscription_available = true
assigned_client_id_supported = true
{asked}
[capabilities.transports]
tcp = true
tls = false
websocket = false
quic = false
"""
LINE = re.compile(r"test (?:.*::)?(\w+)(?: \[([^\]]*)\])?(?: \[missing: ([^\]]*)\])? \.\.\. (ok|FAILED|ignored)?")
OUTCOMES = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
ASKED = {"topic_alias_maximum": ("topic_alias_maximum", 0), "receive_maximum": ("server_receive_maximum", 65535),
         "maximum_packet_size": ("maximum_packet_size", 268435455)}

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from harness.mqtt_peer import Broker  # noqa: E402


def say(test, outcome, detail=""):
    print(json.dumps({"test": test, "outcome": outcome, "detail": detail}), flush=True)


def offered(host, port):
    """The suite wants to know what a CONNACK says anyway."""
    broker = Broker((host, port))
    said = broker.peer().connack.properties
    broker.close()
    asked = "\n".join(f"{theirs} = {said.get(ours, absent)}" for ours, (theirs, absent) in ASKED.items())
    return OFFERED.format(host=host, port=port, asked=asked)


def lines(stream):
    """A test's line is begun before its outcome is known, and both halves are told."""
    held = ""
    while piece := stream.read(1):
        held += piece
        if held.endswith(" ... ") and held.startswith("test "):
            yield held
        if piece == "\n":
            yield held.rstrip("\n")
            held = ""


def main():
    folder, host, port, done = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
    failed, about = {}, None
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as descriptor:
        descriptor.write(offered(host, port))
        descriptor.flush()
        skips = [word for name in done for word in ("--skip", f"::{name} ")]
        command = [str((folder / sys.argv[5]).resolve()), "--sut", descriptor.name, "--test-threads=1", *skips]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            for line in lines(program.stdout):
                if match := LINE.match(line):
                    name, clause, missing, outcome = match.groups()
                    if outcome == "FAILED":
                        failed[name] = clause
                    else:
                        say(name, OUTCOMES.get(outcome, "begun"), f"it needs {missing}" if missing else "")
                elif match := re.match(r"---- (?:.*::)?(\w+)(?: \[.*\])? ----", line):
                    about = match.group(1)
                elif about in failed and line.strip():
                    say(about, "failed", f"{failed.pop(about)}: {line.strip()}"[:500])
    for name, clause in failed.items():
        say(name, "failed", clause)


if __name__ == "__main__":
    main()
