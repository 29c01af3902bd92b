# SPDX-License-Identifier: Apache-2.0
"""What a new server tells and permits, and what its processes may do."""
import os
import stat

from harness.api import PASSWORD


def test_the_one_time_link_makes_one_account(new_server):
    server = new_server()
    secret = server.first_sign_in()
    wish = {"secret": secret, "name": "ada", "password": PASSWORD}
    short = server.api.ask("POST", "/api/v1/setup", {**wish, "password": "too short"})
    assert short.status == 400 and "12" in short.json["detail"], short
    wrong = server.api.ask("POST", "/api/v1/setup", {**wish, "secret": secret[::-1]})
    assert wrong.status in (401, 403), wrong
    assert server.api.ask("POST", "/api/v1/setup", wish).status == 201
    again = server.api.ask("POST", "/api/v1/setup", {**wish, "name": "eve"})
    assert again.status in (401, 403), again
    assert server.api.sign_in("eve").status == 401
    assert server.api.sign_in("ada").status == 200


def test_sign_in_is_limited(new_server):
    server = new_server()
    server.make_account()
    statuses = [server.api.sign_in("ada", f"wrong password {n}").status for n in range(8)]
    assert statuses[0] == 401 and statuses[-1] == 429, statuses


def test_no_secret_is_in_log_or_arguments(new_server):
    server = new_server(enrolment_start__uses=3)
    secret = server.first_sign_in()
    server.make_account()
    server.api.make_token()
    for name in ("server", "keeper"):
        arguments = open(f"/proc/{server.process(name)}/cmdline").read()
        assert secret not in arguments and server.api.token not in arguments
    log = server.log.read_text()
    assert secret not in log and server.api.token not in log and PASSWORD not in log


def status_of(pid):
    return dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)


def test_processes_are_confined(server):
    for name in ("server", "keeper"):
        status = status_of(server.process(name))
        assert status["Seccomp"] == "2", name
        assert status["NoNewPrivs"] == "1", name
        assert int(status["CapEff"], 16) == 0, name
        if os.geteuid() == 0:
            assert status["Uid"].split()[0] != "0", name
    assert 'event="sandbox entered"' in server.log.read_text() and "proven=yes" in server.log.read_text()


def test_the_root_key_is_encrypted_and_not_the_servers(server):
    keeper = server.data / "keeper"
    assert b"ENCRYPTED" in (keeper / "offline" / "root-key.pem").read_bytes()
    for name in ("issuing-key.pem", "offline/root-key.pem", "offline/root-passphrase"):
        assert stat.S_IMODE((keeper / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(keeper.stat().st_mode) == 0o700
    opened = os.listdir(f"/proc/{server.process('server')}/fd")
    names = [os.readlink(f"/proc/{server.process('server')}/fd/{fd}") for fd in opened]
    assert not [name for name in names if "keeper" in name], names


def test_the_server_starts_without_the_root_key(new_server):
    server = new_server()
    offline = server.data / "keeper" / "offline"
    for path in offline.iterdir():
        path.unlink()
    offline.rmdir()
    server.stop()
    server.start()
    assert server.api.ask("GET", "/healthz").status == 200
