# SPDX-License-Identifier: Apache-2.0
"""What the real processes could do, were they taken over: no file but their own, no program, no new right.

The server tries it itself before it opens a door (sandbox_prove, which tests/os/test_sandbox.c holds against sandboxes
that leak) and refuses to start when something succeeds. Here the result is looked at from outside."""
import os
import pathlib
import re

import pytest

from harness.device import Device
from harness.mqtt_client import client


def status_of(pid, field):
    return re.search(rf"^{field}:\s+(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1)


def threads(pid):
    return [int(name) for name in os.listdir(f"/proc/{pid}/task")]


def test_the_sandbox_is_proven_before_the_doors_open(server):
    log = server.log.read_text()
    entered = re.search(r'event="sandbox entered".*', log)
    assert entered and "proven=yes" in entered.group(0) and "programs=none" in entered.group(0), log[:2000]
    assert str(server.data / "server") in entered.group(0)


@pytest.mark.parametrize("name", ["server", "keeper"])
def test_every_thread_is_confined(server, name):
    """A thread that was made before the sandbox would be outside of it."""
    own = threads(server.process(name))
    assert len(own) > (4 if name == "server" else 0)
    for thread in own:
        assert status_of(thread, "Seccomp") == "2" and status_of(thread, "NoNewPrivs") == "1", thread
        for rights in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status_of(thread, rights), 16) == 0, (thread, rights)


def test_the_server_holds_no_file_but_its_own(server, tmp_path):
    with client(server, Device(tmp_path, "busy", server).enrol()) as busy:
        assert busy.publish("devices/busy/telemetry", '{"a":1}', 1) == 0
        pid = server.process()
        held = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    files = {name for name in held if name.startswith("/")}
    own = {str(server.data / "server"), "/server"}
    strange = [name for name in files if not any(name.startswith(place + "/") for place in own)
               and name not in ("/dev/null", str(server.log)) and not name.startswith("/server")]
    assert not strange, strange
    assert any(name.endswith(".db") for name in files), files


def test_a_server_shows_its_data_folder_as_its_whole_world(server):
    if os.geteuid():
        pytest.skip("only root may change what a process takes for the file tree")
    root = os.readlink(f"/proc/{server.process()}/root")
    assert root == str(server.data), root


def test_no_debugger_may_look_into_the_keeper(server):
    """A process that may not be dumped belongs to root in /proc: its own user can read neither its memory nor its files."""
    if os.geteuid():
        pytest.skip("as the only user of both it is seen by its owner")
    keeper = server.process("keeper")
    assert os.stat(f"/proc/{keeper}/mem").st_uid == 0
    assert status_of(keeper, "Uid").split()[0] != status_of(server.process(), "Uid").split()[0], "each has a user of its own"


def test_an_insecure_start_says_so(new_server):
    server = new_server(process_insecure__without__landlock="true")
    log = server.log.read_text()
    assert re.search(r'event="sandbox entered".*proven=no', log), log[:2000]
    assert status_of(server.process(), "Seccomp") == "2", "the filter of calls holds all the same"
