# SPDX-License-Identifier: Apache-2.0
"""End to end: the bridge between two servers over TLS, each of which may die, as may the bridge. One side is mosquitto;
the other is a mosquitto as well here, so that what is shown is the bridge's own doing, and Holdfast in
test_bridge_holdfast.py."""
import functools
import os
import random
import signal
import threading

import pytest

from harness import mqtt_client as mqtt
from harness.bridge import MOSQUITTO, SESSION_EXPIRY, Authority, Bridge, Broker, Publisher, Subscriber, identity
from harness.patience import wait_until

pytestmark = pytest.mark.skipif(not MOSQUITTO.exists(), reason="mosquitto is not installed")

MAPPINGS = """
mappings:
  - {direction: out, filter: "plant/#", remote-prefix: "site-1/"}
  - {direction: in, filter: "orders/#", remote-prefix: "site-1/"}
  - {direction: both, filter: "shared/#"}
"""


class Place:
    """Two brokers and a bridge between them, with its identity."""

    def __init__(self, folder, mappings=MAPPINGS, remote="", users=None, **options):
        self.authority = Authority(folder / "ours")
        self.foreign = Authority(folder / "theirs")
        self.local = Broker(folder / "local", self.authority, client_certificates=True)
        self.remote = Broker(folder / "remote", self.foreign, users=users, **options)
        settings = f"local: {{host: 127.0.0.1, port: {self.local.port}}}\n"
        settings += f"remote:\n  host: 127.0.0.1\n  port: {self.remote.port}\n  ca: {self.foreign.pem}\n"
        settings += "".join(f"  {line}\n" for line in remote.splitlines()) + mappings
        self.bridge = Bridge(folder / "bridge", settings)
        identity(self.bridge.folder, self.authority)

    def start(self):
        self.local.start()
        self.remote.start()
        self.bridge.start()
        return self

    def stop(self):
        self.bridge.end()
        self.local.stop()
        self.remote.stop()


@pytest.fixture
def place(tmp_path):
    """A maker of places."""
    made = []

    def make(**options):
        made.append(Place(tmp_path / f"place-{len(made)}", **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def persistent(broker, name):
    return functools.partial(broker.client, name, clean=False, properties=SESSION_EXPIRY)


def say(broker, topic, *payloads):
    """Published at QoS 1, one after the other, by somebody who hears nothing."""
    with broker.client("speaker") as speaker:
        for number, payload in enumerate(payloads, 1):
            assert speaker.publish(topic, payload, number) in (0, 16)  # 16: nobody has subscribed it


def listen(broker, name, *filters):
    client = broker.client(name)
    client.subscribe(*filters, qos=1)
    return client


def next_message(client):
    while (packet := client.read()).kind != mqtt.PUBLISH:
        pass
    if packet.packet_id:
        client.send(mqtt.packet(mqtt.PUBACK, packet.packet_id.to_bytes(2, "big")))
    return packet


def payloads_until(client, last):
    """What came before the message that says so."""
    came = []
    while (payload := next_message(client).payload) != last:
        came.append(payload)
    return came


def test_both_directions_with_their_names(place):
    here = place().start()
    here.bridge.wait_connected()
    with listen(here.local, "a", "orders/#") as ours, listen(here.remote, "b", "site-1/plant/#") as theirs:
        say(here.local, "plant/pump/rpm", "900")
        came = next_message(theirs)
        assert (came.topic, came.payload) == ("site-1/plant/pump/rpm", b"900")
        say(here.remote, "site-1/orders/7", "go")
        came = next_message(ours)
        assert (came.topic, came.payload) == ("orders/7", b"go")


def test_what_is_shared_goes_round_no_circle(place):
    here = place().start()
    here.bridge.wait_connected()
    with listen(here.local, "a", "shared/#") as ours, listen(here.remote, "b", "shared/#") as theirs:
        say(here.local, "shared/x", *(f"ours {number}" for number in range(20)))
        say(here.remote, "shared/x", *(f"theirs {number}" for number in range(20)), "end of theirs")
        say(here.local, "shared/x", "end of ours")
        everything = sorted(f"{who} {number}".encode() for who in ("ours", "theirs") for number in range(20))
        for client in (ours, theirs):
            came = payloads_until(client, b"end of ours")
            if b"end of theirs" not in came:
                came += payloads_until(client, b"end of theirs") + [b"end of theirs"]
            came.remove(b"end of theirs")
            assert sorted(came) == everything
        # Behind all that, one more each way: had something gone round, it would come before it.
        say(here.local, "shared/x", "last of ours")
        say(here.remote, "shared/x", "last of theirs")
        for client in (ours, theirs):
            came = {next_message(client).payload, next_message(client).payload}
            assert came == {b"last of ours", b"last of theirs"}


def test_a_broker_of_3_1_1_is_spoken_to_in_3_1_1(place):
    mappings = MAPPINGS.replace("""  - {direction: both, filter: "shared/#"}\n""", "")
    here = place(mappings=mappings, remote="version: 3.1.1").start()
    here.bridge.wait_log("connected. side=remote mqtt=3.1.1")
    here.bridge.wait_connected()
    with listen(here.local, "a", "orders/#") as ours, listen(here.remote, "b", "site-1/plant/#") as theirs:
        say(here.local, "plant/x", "1")
        say(here.remote, "site-1/orders/x", "2")
        assert next_message(theirs).payload == b"1" and next_message(ours).payload == b"2"


def test_rules_that_would_echo_are_refused_for_3_1_1(place):
    here = place(remote="version: 3.1.1")
    said = here.bridge.command("check")
    assert said.returncode == 2 and '"shared/#" would come back' in said.stderr, said


def test_a_user_name_and_a_password(place, tmp_path):
    word = tmp_path / "word"
    word.write_text("correct horse\n")
    word.chmod(0o600)
    here = place(users={"holdfast": "correct horse"}, remote=f"user-name: holdfast\npassword-file: {word}").start()
    here.bridge.wait_connected()
    assert b"correct horse" not in open(f"/proc/{here.bridge.process.pid}/cmdline", "rb").read()
    assert "correct horse" not in here.bridge.log


def test_a_wrong_password_is_told(place, tmp_path):
    word = tmp_path / "word"
    word.write_text("wrong\n")
    word.chmod(0o600)
    here = place(users={"holdfast": "right"}, remote=f"user-name: holdfast\npassword-file: {word}").start()
    here.bridge.wait_log('not connected" side=remote why="uplink: the server refused CONNECT: (Not authorized|Bad user name)')


def test_a_password_that_others_can_read_is_refused(place, tmp_path):
    word = tmp_path / "word"
    word.write_text("secret\n")
    word.chmod(0o644)
    here = place(remote=f"user-name: holdfast\npassword-file: {word}")
    for command in ("check", "run"):
        said = here.bridge.command(command)
        assert said.returncode == 2, said
        assert "password-file" in said.stderr and "0600" in said.stderr and "secret" not in said.stderr, said


def test_a_broker_of_another_authority_is_refused_with_the_reason(place, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    here = place()
    here.bridge.config.write_text(here.bridge.config.read_text().replace(str(here.foreign.pem), str(stranger.pem)))
    here.start()
    here.bridge.wait_log('not connected" side=remote why="[^"]*(self.signed certificate in certificate chain|unable to get local issuer)')
    assert here.bridge.status()["remote"]["state"] != "connected"


def test_plain_goes_to_this_machine_only(place):
    here = place()
    plain = here.bridge.config.read_text().replace(f"  ca: {here.foreign.pem}\n", "  plain: true\n")
    here.bridge.config.write_text(plain.replace("host: 127.0.0.1\n  port", "host: broker.example\n  port"))
    said = here.bridge.command("check")
    assert said.returncode == 2 and "insecure-plain" in said.stderr, said
    here.bridge.config.write_text(plain.replace(f"port: {here.remote.port}\n", f"port: {here.remote.plain_port}\n"))
    here.start()
    here.bridge.wait_log("without encryption")
    here.bridge.wait_connected()


def test_its_status_and_its_figures(place):
    here = place(mappings="report: {interval: 1s}\n" + MAPPINGS)
    assert here.bridge.command("status").returncode == 4
    here.start()
    here.bridge.wait_connected()
    with listen(here.local, "a", "devices/bridge-1/telemetry") as ours:
        say(here.local, "plant/x", "1")
        wait_until(lambda: b'"bridge.out.forwarded":1' in next_message(ours).payload, "the figure of what was forwarded")
    status = wait_until(lambda: (now := here.bridge.status())["out"]["forwarded"] == 1 and now, "the status says it too")
    assert status["running"] and status["remote"]["mqtt"] == "5" and status["in"]["forwarded"] == 0, status
    assert status["out"]["queued"] == 0 and status["out"]["dropped"] == 0, status


def test_rules_that_are_gone_are_unsubscribed(place):
    here = place().start()
    place_in_log = here.bridge.wait_connected()
    here.bridge.end()
    text = here.bridge.config.read_text()
    here.bridge.config.write_text("\n".join(line for line in text.splitlines() if "plant/#" not in line) + "\n")
    here.bridge.start()
    here.bridge.wait_connected(place_in_log)
    wait_until(lambda: "plant" not in (here.bridge.folder / "filters.local").read_text(), "the former filter is forgotten")
    with listen(here.remote, "b", "#") as theirs:
        say(here.local, "plant/x", "gone")
        say(here.local, "shared/x", "last")
        assert next_message(theirs).topic == "shared/x"
    wait_until(lambda: here.bridge.status()["out"]["taken"] == 1, "one was taken")
    assert here.bridge.status()["out"]["dropped"] == 0


def test_a_full_queue_stops_the_source_and_loses_nothing(place):
    here = place(mappings='queue: {out: 64KiB, full: refuse}\nmappings: [{direction: out, filter: "plant/#"}]\n')
    here.remote.start()
    with here.remote.client("b", clean=False, properties=SESSION_EXPIRY) as theirs:
        theirs.subscribe("plant/#", qos=1)  # before the bridge may bring anything
    here.remote.wait_at_rest()
    here.remote.kill()
    here.local.start()
    here.bridge.start()
    place_in_log = here.bridge.wait_log("connected. side=local")
    filler, count = "x" * 1000, 300
    say(here.local, "plant/x", *(f"{number} {filler}" for number in range(count)))
    here.bridge.wait_log("no more is taken", place_in_log)
    here.remote.start()
    with here.remote.client("b", clean=False, properties=SESSION_EXPIRY) as theirs:
        seen = []
        while len(set(seen)) < count:
            seen.append(int(next_message(theirs).payload.split()[0]))
    assert [number for at, number in enumerate(seen) if number not in seen[:at]] == list(range(count))
    here.bridge.wait_log("messages are taken again")
    wait_until(lambda: here.bridge.status()["out"]["queued"] == 0, "the queue is empty")
    assert here.bridge.status()["out"]["dropped"] == 0


def test_a_full_queue_that_drops_says_so(place):
    here = place(mappings='queue: {out: 64KiB, full: drop-oldest}\nmappings: [{direction: out, filter: "plant/#"}]\n')
    here.local.start()
    here.bridge.start()
    here.bridge.wait_log("connected. side=local")
    filler, count = "x" * 1000, 200
    say(here.local, "plant/x", *(f"{number} {filler}" for number in range(count)))
    wait_until(lambda: here.bridge.status()["out"]["taken"] == count, "all were taken")
    status = here.bridge.status()["out"]
    assert status["dropped"] == status["dropped_because"]["queue_full"] == count - status["queued"] > 0, status
    here.bridge.end()
    here.bridge.wait_log("messages were dropped")


# ---- Everybody may die


class Traffic:
    """Publishers and subscribers on both sides, with their counts."""

    def __init__(self, here):
        out, back = [f"plant/{n}" for n in range(3)], [f"site-1/orders/{n}" for n in range(3)]
        self.senders = [Publisher(lambda: here.local.client("out"), out), Publisher(lambda: here.remote.client("back"), back)]
        self.readers = [Subscriber(persistent(here.remote, "far"), ["site-1/plant/#"]),
                        Subscriber(persistent(here.local, "near"), ["orders/#"])]
        for one in self.readers:
            one.start()
            assert one.ready.wait(60)
        for one in self.senders:
            one.start()

    def sent(self):
        """By reader: what it must have, by topic."""
        out, back = (sender.acknowledged for sender in self.senders)
        return [{f"site-1/{topic}": count for topic, count in out.items()},
                {topic.removeprefix("site-1/"): count for topic, count in back.items()}]

    def total(self):
        return sum(sum(sender.acknowledged.values()) for sender in self.senders)

    def finish(self, bridge):
        for one in self.senders:
            one.end()
        counts = self.sent()
        try:
            wait_until(lambda: all(reader.has(count) for reader, count in zip(self.readers, counts)), "everything arrived")
        except AssertionError:
            for reader, count in zip(self.readers, counts):
                reader.check(count)
            raise
        finally:
            for one in self.readers:
                one.end()
        for reader, count in zip(self.readers, counts):
            reader.check(count)
        status = bridge.status()
        assert status["out"]["dropped"] == status["in"]["dropped"] == 0, status


def let_flow(traffic, more):
    goal = traffic.total() + more
    wait_until(lambda: traffic.total() >= goal, f"{more} more messages")


def pause(dice):
    threading.Event().wait(dice.uniform(0.05, 0.6))


@pytest.fixture
def dice():
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    print(f"SEED={seed}")
    return random.Random(seed)


def test_the_bridge_is_killed_again_and_again(place, dice):
    here = place().start()
    here.bridge.wait_connected()
    traffic = Traffic(here)
    for _ in range(8):
        pause(dice)
        here.bridge.end(signal.SIGKILL)
        pause(dice)
        here.bridge.start()
    let_flow(traffic, 200)
    traffic.finish(here.bridge)


def kill_at_rest(here, traffic, side):
    """mosquitto acknowledges before its database has it, and what is on its way to a connected client is not in there at
    all: killed at any moment it loses messages that no bridge can bring back. So it is killed when all that its own
    publishers gave it has come through, and it has written the rest; what the bridge brings to it goes on meanwhile, until
    the bridge is stopped in the middle of whatever it was doing."""
    at = {"local": 0, "remote": 1}[side]
    sender, reader, broker = traffic.senders[at], traffic.readers[at], getattr(here, side)
    sender.resting = True
    wait_until(lambda: reader.has(traffic.sent()[at]), "what was published there came through")
    here.bridge.process.send_signal(signal.SIGSTOP)
    broker.wait_at_rest()
    broker.kill()
    here.bridge.process.send_signal(signal.SIGCONT)
    sender.resting = False


@pytest.mark.parametrize("side", ["remote", "local"])
def test_a_broker_is_killed_again_and_again(place, dice, side):
    here = place().start()
    here.bridge.wait_connected()
    traffic = Traffic(here)
    for _ in range(4):
        pause(dice)
        kill_at_rest(here, traffic, side)
        pause(dice)
        getattr(here, side).start()
        let_flow(traffic, 100)
    traffic.finish(here.bridge)


def test_a_long_silence_is_kept_on_disk(place, dice):
    here = place().start()
    place_in_log = here.bridge.wait_connected()
    traffic = Traffic(here)
    let_flow(traffic, 100)
    here.bridge.process.send_signal(signal.SIGSTOP)
    let_flow(traffic, 300)
    here.bridge.process.send_signal(signal.SIGCONT)
    here.bridge.end(signal.SIGKILL)
    let_flow(traffic, 300)
    here.bridge.start()
    here.bridge.wait_connected(place_in_log)
    traffic.finish(here.bridge)
