# SPDX-License-Identifier: Apache-2.0
"""End to end: the real programs, started by the tests on loopback with ports that the kernel picked."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness.server import Server  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of the module's own, with an account signed in."""
    with Server(tmp_path_factory.mktemp("server")) as running:
        running.make_account()
        yield running


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
