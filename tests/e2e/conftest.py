# SPDX-License-Identifier: Apache-2.0
"""End to end: the real programs, started by the tests on loopback with ports that the kernel picked."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness.agent import Agent  # noqa: E402
from harness.mqtt_peer import Broker  # noqa: E402
from harness.server import Server, free_port  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of the module's own, with an account signed in."""
    with Server(tmp_path_factory.mktemp("server")) as running:
        running.make_account()
        yield running


@pytest.fixture(scope="session")
def open_address(tmp_path_factory):
    """Where anybody may speak MQTT in the clear: a server of the tests' own, or another broker, which shows whether a test
    asks for what the standard asks: HOLDFAST_MQTT_BROKER=host:port."""
    if other := os.environ.get("HOLDFAST_MQTT_BROKER"):
        host, port = other.rsplit(":", 1)
        yield host, int(port)
        return
    port = free_port()
    with Server(tmp_path_factory.mktemp("open"), mqtt_plain="true", mqtt_plain__port=port, mqtt_insecure__anonymous="true"):
        yield "127.0.0.1", port


@pytest.fixture
def broker(open_address):
    """A maker of peers for one test."""
    made = Broker(open_address)
    yield made
    made.close()


@pytest.fixture
def new_server(tmp_path):
    """A maker of servers for tests that break theirs: new_server(settings...) -> Server."""
    started = []

    def make(**settings):
        made = Server(tmp_path / f"server-{len(started)}", **settings).start()
        started.append(made)
        return made

    yield make
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def renewing(tmp_path_factory):
    """(server, agent, its first files): an agent whose certificate is nearly over."""
    folder = tmp_path_factory.mktemp("renewing")
    with Server(folder / "server", certificates_device__life="300s", http_port=free_port(), mqtt_port=free_port()) as running:
        running.make_account()
        agent = Agent(folder, "renewing", running).enrol()
        first = agent.files()
        yield running, agent.start(), first
        agent.stop()


@pytest.fixture(scope="session", autouse=True)
def begin_early(request):
    """The renewal comes after two minutes, which the other tests make use of."""
    if any("renewing" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("renewing")
