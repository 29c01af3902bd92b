# SPDX-License-Identifier: Apache-2.0
"""The public MQTT test suites that are on this machine, each against a server of its own. Which there are, and how to get
them, says tests/conformance/mqtt_suites.py; without HOLDFAST_MQTT_SUITES nothing runs here, for together they take minutes."""
import os
import pathlib
import subprocess
import sys

import pytest

from harness.server import free_port

CONFORMANCE = pathlib.Path(__file__).resolve().parent.parent / "conformance"
NO_SUITE = 77
SUITE_S = 600


@pytest.mark.skipif("HOLDFAST_MQTT_SUITES" not in os.environ, reason="HOLDFAST_MQTT_SUITES names no folder with suites")
@pytest.mark.parametrize("suite", ["paho-3.1.1", "paho-5.0", "mosquitto-sequences", "mosquitto-scripts", "mqtt5-conformance"])
def test_suite(new_server, suite):
    port = free_port()
    new_server(mqtt_plain="true", mqtt_plain__port=port, mqtt_insecure__anonymous="true", mqtt_keep__alive__max="60s")
    done = subprocess.run([sys.executable, CONFORMANCE / "mqtt_suites.py", "127.0.0.1", str(port), "--only", suite],
                          capture_output=True, text=True, timeout=SUITE_S, check=False)
    if done.returncode == NO_SUITE:
        pytest.skip(done.stdout)
    failures = [line for line in done.stdout.splitlines() if line.startswith("failed")]
    assert done.returncode == 0 and not failures, "\n".join(failures) or done.stderr[-2000:]
