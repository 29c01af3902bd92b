/* A made-up fleet of three devices that move by a seeded walk. For looking at the console only: nothing here is measured. */
/* SPDX-License-Identifier: Apache-2.0 */
import { randomBytes } from "node:crypto";
import { KINDS } from "../public/kinds.js";

const STEP_MS = 1000;
const HISTORY_MS = 24 * 3600 * 1000;
const HISTORY_STEP_MS = 15000;
const GIB = 2 ** 30;

/* metric: [low, high, period in minutes] of a slow wave with noise. */
const WAVES = {
  "cpu.load": [0.03, 0.4, 7],
  "cpu.load1": [0.1, 1.6, 11],
  "memory.used": [2.1 * GIB, 3.4 * GIB, 90],
  "disk.used": [11.2 * GIB, 12.1 * GIB, 700],
  "net.rx": [800, 240000, 5],
  "net.tx": [400, 90000, 5],
  temperature: [41, 58, 30],
  "clock.offset": [-0.004, 0.006, 60],
  "agent.memory": [6.2 * 2 ** 20, 7.1 * 2 ** 20, 120],
};
const STEADY = { "memory.total": 8 * GIB, "disk.total": 40 * GIB, "agent.spooled": 0, door: "closed", "valve.open": true };

function waveAt(metric, index, time) {
  const [low, high, minutes] = WAVES[metric];
  const turn = (time / 60000 / minutes) * 2 * Math.PI + index * 1.7;
  const noise = ((Math.sin(time / 977 + index) * 43758.5453) % 1) * 0.18;
  const share = Math.min(1, Math.max(0, 0.5 + 0.36 * Math.sin(turn) + noise));
  return low + (high - low) * share;
}

const iso = (time) => new Date(time).toISOString();
const hex = (bytes) => randomBytes(bytes).toString("hex");

function inventory(index) {
  const names = ["bash", "coreutils", "curl", "dpkg", "holdfast-agent", "libc6", "libssl3", "linux-image-amd64", "openssh-server", "openssl", "systemd", "zlib1g"];
  const packages = Array.from({ length: 420 }, (_, at) => ({
    name: at < names.length ? names[at] : `lib${names[at % names.length]}-part${at}`,
    version: `${1 + (at % 9)}.${at % 31}.${at % 7}-${1 + (at % 3)}+deb12u${1 + (at % 4)}`,
  }));
  return {
    os: { name: "Debian GNU/Linux", version: "12 (bookworm)", id: "debian" },
    kernel: { release: "6.1.0-28-amd64", machine: "x86_64" },
    hardware: { vendor: "Example Works", product: `Gateway ${index + 1}`, cpu: "Quad-core 1.8 GHz", cores: 4, memory: 8 * GIB },
    key: { kind: "file", note: "software key" },
    packages,
  };
}

/* A device's session, and one that an operator's tool left behind. */
function clientAt(number) {
  const device = number < 3;
  return {
    principal: { kind: device ? "device" : "operator", id: device ? `pump-${number}` : "ada" },
    client: device ? `pump-${number}` : "shift log / é?&",
    connected: device,
    since: iso(Date.now() - number * 3600e3),
    peer: device ? `192.0.2.${number}:4123${number}` : null,
    transport: device ? "tls" : null,
    version: device ? "5.0" : "3.1.1",
    keep_alive_s: device ? 60 : 0,
    expiry_s: device ? 0 : 86400,
    subscriptions: 2,
    queued: device ? 0 : 34,
    queued_bytes: device ? 0 : 41200,
    under_way: 0,
    dropped: device ? 0 : 1207,
    messages_in: 2201 * number,
    messages_out: 19 * number,
    watches: [
      { filter: device ? `devices/pump-${number}/commands/#` : "devices/+/telemetry/#", qos: 1, no_local: device, as_published: false, subscription_id: null },
      { filter: "$share/log/devices/+/events", qos: 2, no_local: false, as_published: true, subscription_id: 7 },
    ],
  };
}

export class Fleet {
  constructor() {
    this.secret = hex(16);
    this.operators = new Map();
    this.sessions = new Map();
    this.started = Date.now();
    this.events = [];
    this.tokens = [];
    this.watchers = new Set(); // called with each event
    this.subscribers = new Set(); // called with (topic, payload)
    this.clients = [1, 2, 3].map(clientAt);
    this.devices = ["boiler-room", "pump-7", "gate-north-and-a-rather-long-name"].map((id, index) => this.enrolled(id, index));
    this.event("server.started", null, { version: "0.1.0" });
    this.devices.forEach(({ id, group }) => this.event("device.enrolled", id, { group, token: "made up" }));
    this.event("enrolment.refused", null, { reason: "the token has expired", peer: "192.0.2.17" });
    this.devices.slice(0, 2).forEach(({ id }) => this.event("device.connected", id, { protocol: "MQTT 5" }));
    this.event("store.full", null, { path: "data", lost: 0 });
    this.timer = setInterval(() => this.step(), STEP_MS);
    this.timer.unref();
  }

  enrolled(id, index) {
    const now = Date.now();
    return {
      index,
      id,
      group: index === 1 ? "waterworks" : "default",
      state: index === 2 ? "enrolled" : "active",
      enrolled: iso(now - 3 * 3600e3),
      last_seen: index === 2 ? null : iso(now),
      connected: index !== 2,
      connected_since: index === 2 ? null : iso(now - 3600e3),
      certificate: { serial: hex(16), expires: iso(now + 21 * 3600e3) },
      key: { fingerprint: hex(32) },
    };
  }

  stop() {
    clearInterval(this.timer);
  }

  event(kind, device, detail) {
    const event = { id: this.events.length + 1, time: iso(Date.now()), kind, severity: KINDS[kind].severity, device, detail };
    this.events.push(event);
    for (const watcher of this.watchers) watcher(event);
  }

  values(device, time) {
    const values = { ...STEADY, uptime: Math.floor((time - this.started) / 1000) + 93784 };
    for (const metric of Object.keys(WAVES)) values[metric] = waveAt(metric, device.index, time);
    return values;
  }

  step() {
    const now = Date.now();
    // The third device comes and goes, so that the list is seen to change.
    if (Math.floor(now / 1000) % 20 === 0) this.toggle(this.devices[2]);
    for (const device of this.devices.filter(({ connected }) => connected)) {
      device.last_seen = iso(now);
      const payload = JSON.stringify({ time: now, ...this.values(device, now) });
      for (const subscriber of this.subscribers) subscriber(`devices/${device.id}/telemetry`, payload);
    }
  }

  toggle(device) {
    if (!device) return;
    device.connected = !device.connected;
    device.connected_since = device.connected ? iso(Date.now()) : null;
    device.state = "active";
    this.event(device.connected ? "device.connected" : "device.disconnected", device.id, device.connected ? { protocol: "MQTT 5" } : { reason: "keep-alive" });
  }

  series(device, metric, from, to, limit) {
    const points = [];
    const begin = Math.ceil(Math.max(from, Date.now() - HISTORY_MS) / HISTORY_STEP_MS) * HISTORY_STEP_MS;
    let time = begin;
    for (; time < Math.min(to, Date.now()) && points.length < limit; time += HISTORY_STEP_MS) {
      // A pause in the last quarter of an hour, as a broken line would leave it.
      const paused = Date.now() - time > 360e3 && Date.now() - time < 480e3;
      if (!paused && device.state === "active") points.push([time, metric in WAVES ? waveAt(metric, device.index, time) : STEADY[metric]]);
    }
    return { metric, points, next: time < Math.min(to, Date.now()) ? iso(time) : null };
  }

  documents(device) {
    const time = device.enrolled;
    if (!device.last_seen) return {};
    return { inventory: { time, content: inventory(device.index) }, agent: { time, content: { version: "0.1.0", started: time } } };
  }
}
