# SPDX-License-Identifier: Apache-2.0
"""What the documents tell to type, typed: every shell block of a page in its order, with only the names filled in."""
import os
import platform
import re
import subprocess

import pytest

from harness.api import PASSWORD as OWN
from harness.server import BUILD, TOP, Server, free_port

PASSWORD = "at least 12 characters"   # as docs/api.md has it
ENDLESS_S = 3                         # how long a command that never ends is let run
ENDED_BY_TIMEOUT, ENDED_BY_CURL = 124, 28


def blocks(page):
    return re.findall(r"^```sh\n(.*?)^```", (TOP / "docs" / page).read_text(), re.S | re.M)


def filled(text, names):
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def typed(script, folder, home):
    """In one shell that ends at the first failure; what it printed."""
    environment = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "HOME": str(home), "HOLDFAST_FOLDER": str(home / "agent")}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and '"about:blank"' not in done.stdout, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path / "server", http_port=free_port(), mqtt_port=free_port()) as running:
        yield running


def test_the_api_by_task(server, tmp_path):
    script = filled("".join(blocks("api.md")), {
        "https://localhost:8443": server.url,
        "<secret>": server.first_sign_in(),
        "call --no-buffer": f"call --no-buffer --max-time {ENDLESS_S}",
    })
    shown = typed(re.sub(r"^call --no-buffer.*$", rf"\g<0> || test $? = {ENDED_BY_CURL}", script, flags=re.M), tmp_path, tmp_path)
    assert f"{server.pin}  -" in shown
    for wanted in ('"id":"pump-1","group":"north"', '"uses_left":10', '"points":[]'):
        assert wanted in shown, (wanted, shown)
    assert server.api.sign_in("ada", PASSWORD).status == 200
    assert server.api.ask("GET", "/api/v1/devices/pump-1").status == 404, "the page ends with its deletion"


def test_enrolling(server, tmp_path):
    """Except for the service, which needs systemd as the first process."""
    server.make_account()
    sign_in = f"echo '{OWN}' | holdfast sign-in --server {server.url} --ca-sha256 {server.pin} --name ada --password-stdin"
    typed(sign_in, tmp_path, tmp_path)
    deleted = False
    for block in blocks("enrol.md"):
        if "systemctl" in block:
            continue
        if "--new-key" in block and not deleted:
            deleted = server.api.ask("DELETE", f"/api/v1/devices/{platform.node()}").status == 204
        block = filled(block, {
            "https://holdfast.example:8443": server.url, "https://HOST:8443": server.url, "-h HOST -p 8883": f"-h localhost -p {server.mqtt_port}",
            "HEX": server.pin, "TOKEN": server.api.make_token(),
        })
        endless = block.startswith("holdfast-agent run")
        typed(f"timeout {ENDLESS_S} {block.strip()} --mqtt localhost:{server.mqtt_port} || test $? = {ENDED_BY_TIMEOUT}" if endless else block, tmp_path, tmp_path)
    assert deleted
    assert server.api.get("/api/v1/devices/pump-7/latest")["values"][0]["value"] == 4.2
    assert server.api.get("/api/v1/devices/pump-7")["state"] == "active"
    assert len(server.api.events(kind="device.enrolled")) == 3 and len(server.api.events(kind="device.renewed")) == 1
