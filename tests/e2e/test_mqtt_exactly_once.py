# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments under persistent sessions of QoS 1 and 2, and a disk that fills: what was acknowledged arrives,
QoS 2 exactly once, and what one publisher says on one topic in its order. HOLDFAST_SEED repeats a run."""
import os
import random
import select
import signal
import subprocess

import pytest

from harness.mqtt_codec import (DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, ack_packet, publish_packet)
from harness.mqtt_peer import Peer, unique
from harness.server import Server, free_port

KILLS = 8
LONG = 3600
WINDOW = 60          # publishes of one speaker that may be on their way
HEARERS_WINDOW = 30
LAST_S = 60          # for everything to have arrived, once nobody kills any more
OPEN = {"mqtt_plain": "true", "mqtt_insecure__anonymous": "true", "mqtt_queue__messages": 65535, "mqtt_queue__bytes": "64MiB",
        "mqtt_receive__max": 256}


class Party:
    """A client id whose session lasts; its connection comes and goes."""

    def __init__(self, address, version):
        self.address, self.version, self.name = address, version, unique("party")
        self.peer, self.met = None, False

    def come(self):
        """Again, or for the first time. The session that a CONNACK told of is there."""
        how = {"session_expiry": LONG, "receive_maximum": HEARERS_WINDOW} if self.version == 5 else {}
        self.peer = Peer(self.address, self.version)
        answer = self.peer.connect(self.name, clean=False, **how)
        assert answer.session_present == int(self.met), f"{self.name}: the session was forgotten"
        self.met = True

    def ready(self):
        return self.peer.whole_packet_waits() if self.peer else False

    def lose(self):
        """After a crash: what still lies in our own buffers counts, for it was sent."""
        try:
            while True:
                self.take(self.peer.read())
        except ConnectionError:
            self.peer.close()
            self.peer = None


class Speaker(Party):
    """Says numbers on a topic of its own with one QoS, and keeps for each packet id how far its flow is."""

    def __init__(self, address, version, qos):
        super().__init__(address, version)
        self.qos, self.topic = qos, unique(f"said/{qos}")
        self.next, self.flows, self.acknowledged, self.refused = 0, {}, [], []  # packet id: (number, its next packet's kind)

    def come(self):
        super().come()
        for packet_id, (number, kind) in self.flows.items():  # 4.4.0-1, in the order of old
            self.peer.send(self.packet(number, packet_id, dup=True) if kind == PUBLISH else ack_packet(PUBREL, packet_id))

    def packet(self, number, packet_id, dup=False):
        return publish_packet(self.topic, str(number), packet_id, self.version, 8 * dup, self.qos)

    def say(self, count):
        out = []
        for _ in range(min(count, WINDOW - len(self.flows))):
            packet_id = self.next % 65535 + 1
            self.flows[packet_id] = (self.next, PUBLISH)
            out.append(self.packet(self.next, packet_id))
            self.next += 1
        self.peer.send(b"".join(out))

    def take(self, got):
        assert got.kind in (PUBACK, PUBREC, PUBCOMP), got
        assert got.packet_id in self.flows or got.kind != PUBACK, got
        number, _ = self.flows.get(got.packet_id, (None, None))
        if got.reason >= 0x80 and got.kind != PUBCOMP:
            self.refused.append(number)
            del self.flows[got.packet_id]
        elif got.kind == PUBREC:
            self.flows[got.packet_id] = (number, PUBREL)
            if self.peer:
                self.peer.send(ack_packet(PUBREL, got.packet_id))
        else:
            self.acknowledged.append(number)
            del self.flows[got.packet_id]

    def lose(self):
        try:
            super().lose()
        except AssertionError as trouble:
            if "DISCONNECT" in str(trouble) or f"packet {DISCONNECT}" in str(trouble):
                self.peer = None
                return
            raise


class Hearer(Party):
    """Hears all speakers; acknowledges as the standard says, and knows ids of QoS 2 until they are released."""

    def __init__(self, address, version, qos):
        super().__init__(address, version)
        self.qos, self.heard, self.known = qos, {}, set()

    def begin(self):
        self.come()
        assert self.peer.subscribe("said/#", qos=self.qos) == [self.qos]

    def take(self, got):
        if got.kind == PUBREL:
            self.known.discard(got.packet_id)
            return self.answer(PUBCOMP, got.packet_id)
        assert got.kind == PUBLISH, got
        if got.qos < 2 or got.packet_id not in self.known:
            self.heard.setdefault(got.topic, []).append(int(got.payload))
        if got.qos == 2:
            self.known.add(got.packet_id)
        return self.answer(PUBACK if got.qos == 1 else PUBREC, got.packet_id)

    def answer(self, kind, packet_id):
        try:
            self.peer.send(ack_packet(kind, packet_id))
        except ConnectionError:
            pass  # the server is gone; what it does not know it sends again

    def check(self, speaker):
        """Nothing lost, nothing twice where it may not be, all in order."""
        said = self.heard.get(speaker.topic, [])
        lost = sorted(set(speaker.acknowledged) - set(said))
        assert not lost, f"{speaker.topic}: acknowledged and lost: {lost[:10]} of {len(lost)}"
        once = list(dict.fromkeys(said))
        assert once == sorted(once), f"{speaker.topic}: out of order"
        if min(speaker.qos, self.qos) == 2:
            twice = sorted({number for number in said if said.count(number) > 1}) if len(said) != len(once) else []
            assert not twice, f"{speaker.topic}: twice: {twice[:10]} of {len(twice)}"
        assert set(said) <= set(range(speaker.next)), "what nobody said"


class Stage:
    """All parties, moved on by one hand."""

    def __init__(self, address):
        versions = 5, 4
        self.speakers = [Speaker(address, version, qos) for version in versions for qos in (1, 2)]
        self.hearers = [Hearer(address, version, qos) for version in versions for qos in (1, 2)]
        self.all = self.hearers + self.speakers
        for hearer in self.hearers:
            hearer.begin()
        for speaker in self.speakers:
            speaker.come()

    def take_some(self, patience_s):
        """What is there; waits so long for the first."""
        ready = [party for party in self.all if party.ready()]
        if not ready:
            by_stream = {party.peer.stream: party for party in self.all}
            ready = [by_stream[stream] for stream in select.select(list(by_stream), [], [], patience_s)[0]]
        for party in ready:
            party.take(party.peer.read())
        return bool(ready)

    def work(self, dice, steps):
        for _ in range(steps):
            for speaker in self.speakers:
                speaker.say(dice.randint(0, 8))
            while self.take_some(0) and dice.random() < 0.97:
                pass

    def settled(self):
        """Every flow at its end, and all that was acknowledged heard by all."""
        return not any(speaker.flows for speaker in self.speakers) and not any(hearer.known for hearer in self.hearers) and all(
            hearer.heard.get(speaker.topic, [-1])[-1] == speaker.next - 1 for hearer in self.hearers for speaker in self.speakers)

    def settle(self):
        while not self.settled():
            assert self.take_some(LAST_S), "it does not go on: " + ", ".join(
                [f"{one.topic} {len(one.flows)} open" for one in self.speakers] +
                [f"{one.name} {len(one.known)} known" for one in self.hearers])

    def check(self):
        for hearer in self.hearers:
            for speaker in self.speakers:
                hearer.check(speaker)


@pytest.fixture
def random_seed():
    seed = int(os.environ.get("HOLDFAST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"HOLDFAST_SEED={seed}")
    return random.Random(seed)


def test_killed_at_random_moments_every_message_arrives_exactly_once(new_server, random_seed):
    port = free_port()
    server = new_server(mqtt_plain__port=port, **OPEN)
    stage = Stage(("127.0.0.1", port))
    open_flows = 0
    for _ in range(KILLS):
        pid = server.process()
        stage.work(random_seed, random_seed.randint(5, 120))
        os.kill(pid, signal.SIGKILL)
        for party in stage.all:
            party.lose()
        open_flows += sum(len(speaker.flows) for speaker in stage.speakers) + sum(len(hearer.known) for hearer in stage.hearers)
        server.wait_ready()
        for party in random_seed.sample(stage.all, len(stage.all)):
            party.come()
    stage.work(random_seed, 20)
    stage.settle()
    stage.check()
    print(f"{sum(one.next for one in stage.speakers)} said, {open_flows} flows cut in {KILLS} kills")
    assert open_flows, "it was never killed at work"
    assert not any(speaker.refused for speaker in stage.speakers)


def test_what_waits_for_a_client_that_is_away_survives(new_server, random_seed):
    """Retained messages as well, and the subscriptions themselves."""
    port = free_port()
    server = new_server(mqtt_plain__port=port, **OPEN)
    address = ("127.0.0.1", port)
    away = [Hearer(address, version, 2) for version in (5, 4)]
    for hearer in away:
        hearer.begin()
        hearer.peer.close()
    speakers = [Speaker(address, 5, qos) for qos in (1, 2)]
    for speaker in speakers:
        speaker.come()
        while speaker.next < 300:
            speaker.say(WINDOW)
            while speaker.flows:
                speaker.take(speaker.peer.read())
        speaker.peer.publish(speaker.topic.replace("said", "kept"), "kept", 1, retain=True, packet_id=60000)
    server.kill()
    server.wait_ready()
    for hearer in away:
        hearer.come()
        while sum(len(numbers) for numbers in hearer.heard.values()) < 600:
            hearer.take(hearer.peer.read())
        for speaker in speakers:
            hearer.check(speaker)
    late = Peer(address)
    late.connect(unique())
    late.subscribe("kept/#", qos=1)
    assert late.payloads(2) == [b"kept"] * 2


# -- a full disk

@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0755", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this place may not mount a small filesystem: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(path):
    """Takes all the room that is left."""
    with open(path, "wb", buffering=0) as ballast:
        size = 1 << 20
        while size:
            try:
                ballast.write(b"\0" * size)
            except OSError:
                size //= 2


def say_until_refused(speaker):
    """With payloads that need room. True when the server refuses by its reason, False when it closes."""
    while not speaker.refused:
        speaker.say(WINDOW)
        while speaker.flows and not speaker.refused:
            try:
                speaker.take(speaker.peer.read())
            except (ConnectionError, AssertionError):
                return False
    return True


def test_a_full_disk_loses_nothing_of_persistent_sessions(small_disk, tmp_path):
    port = free_port()
    address = ("127.0.0.1", port)
    with Server(tmp_path / "server", data=small_disk / "data", mqtt_plain__port=port, **OPEN) as server:
        away = Hearer(address, 5, 2)
        away.begin()
        away.peer.close()
        speaker = Speaker(address, 5, 2)
        speaker.come()
        fill(small_disk / "ballast")
        pid = server.process()
        say_until_refused(speaker)
        assert len(speaker.acknowledged) < speaker.next, "there is no room for more"
        (small_disk / "ballast").unlink()
        if speaker.peer:
            speaker.peer.close()
        for number in speaker.refused:
            assert number not in speaker.acknowledged
        away.come()
        while len(set(speaker.acknowledged) - set(away.heard.get(speaker.topic, []))):
            away.take(away.peer.read())
        away.check(speaker)
        assert server.process() == pid, "without a restart"
