/* The HTTP API before the made-up fleet: the same paths, parameters, answers and refusals as docs/api.md says. */
/* SPDX-License-Identifier: Apache-2.0 */
import { randomBytes } from "node:crypto";
import { SEVERITIES } from "../public/kinds.js";

/* Over plain HTTP a browser keeps no __Host- cookie; the real server is HTTPS only. */
const COOKIE = "holdfast-dev";

class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "the body is not JSON");
  }
}

const tokenOf = (request) => new RegExp(`${COOKIE}=(\\w+)`).exec(request.headers.cookie ?? "")?.[1];

export function operatorOf(fleet, request) {
  return fleet.sessions.get(tokenOf(request));
}

function opened(fleet, name) {
  const token = randomBytes(16).toString("hex");
  fleet.sessions.set(token, name);
  fleet.event("operator.signed-in", null, { operator: name });
  return { cookie: `${COOKIE}=${token}; Path=/; HttpOnly; SameSite=Strict`, body: { operator: { name }, token, expires: new Date(Date.now() + 12 * 3600e3) } };
}

function deviceOf(fleet, id) {
  const device = fleet.devices.find((each) => each.id === id);
  if (!device) throw new Refusal(404, `there is no device ${id}`);
  return device;
}

const shown = ({ index, ...device }) => device;

function listDevices(fleet, url) {
  const ask = Object.fromEntries(url.searchParams);
  const has = (device) =>
    (!ask.search || `${device.id} ${device.group}`.toLowerCase().includes(ask.search.toLowerCase())) &&
    (!ask.group || device.group === ask.group) &&
    (!ask.state || device.state === ask.state) &&
    (!ask.connected || String(device.connected) === ask.connected);
  const all = fleet.devices.filter(has).sort((a, b) => (a.id < b.id ? -1 : 1));
  const page = all.filter(({ id }) => !ask.after || id > ask.after).slice(0, Number(ask.limit ?? 100));
  const last = page[page.length - 1]?.id;
  return { devices: page.map(shown), total: all.length, next: last && all.some(({ id }) => id > last) ? last : null };
}

function listEvents(fleet, url) {
  const ask = Object.fromEntries(url.searchParams);
  const has = (event) =>
    (!ask.device || event.device === ask.device) &&
    (!ask.kind || event.kind === ask.kind) &&
    (!ask.severity || SEVERITIES.indexOf(event.severity) >= SEVERITIES.indexOf(ask.severity)) &&
    (!ask.before || event.id < Number(ask.before));
  const all = fleet.events.filter(has).reverse();
  const events = all.slice(0, Number(ask.limit ?? 100));
  return { events, next: all.length > events.length ? events[events.length - 1].id : null };
}

function makeToken(fleet, { group, uses, minutes }, name) {
  if (!/^[\w.-]{1,64}$/.test(group)) throw new Refusal(400, "group: only letters, digits and . _ - are allowed, 64 at most");
  const expires = new Date(Date.now() + minutes * 60000).toISOString();
  const id = randomBytes(6).toString("hex");
  const token = randomBytes(24).toString("base64url");
  fleet.tokens.unshift({ id, group, uses_left: uses, uses_total: uses, made: new Date().toISOString(), made_by: name, expires });
  fleet.event("token.created", null, { group, uses, operator: name });
  const command = `echo ${token} | holdfast-agent enrol --server https://fleet.example:8443 --ca-sha256 ${randomBytes(32).toString("hex")} --token-stdin && holdfast-agent run --mqtt fleet.example:8883`;
  return { status: 201, body: { id, token, group, uses, expires, command } };
}

function health(fleet) {
  return {
    status: "ok",
    version: "0.1.0",
    started: new Date(fleet.started).toISOString(),
    uptime_s: Math.floor((Date.now() - fleet.started) / 1000),
    store: { status: "ok", detail: "commits" },
    devices: fleet.devices.length,
    numbers: { ...counts(fleet), http_requests: 96, store_commits: 9120, store_waiting: 0 },
    latencies: { acknowledgement_seconds: acknowledgements(fleet) },
  };
}

const wave = (fleet, period, low, high) => low + (high - low) * (0.5 + 0.5 * Math.sin((Date.now() - fleet.started) / 1000 / period));

function counts(fleet) {
  const seconds = (Date.now() - fleet.started) / 1000;
  return {
    connections: fleet.clients.length + 2,
    sessions: fleet.clients.length,
    accepted: 19,
    messages_in: Math.floor(seconds * 812 + wave(fleet, 20, 0, 3000)),
    messages_out: Math.floor(seconds * 96 + wave(fleet, 31, 0, 800)),
    messages_dropped: Math.floor(seconds / 9),
    messages_refused: 0,
    queued_messages: 34,
    queued_bytes: Math.floor(wave(fleet, 17, 2000, 90000)),
  };
}

function acknowledgements(fleet) {
  const count = Math.floor((Date.now() - fleet.started) / 5);
  return { sum_us: count * 700, bounds_us: [50, 100, 250, 500, 1000, 2500, 5000], counts: [0, 0, count, 4 * count, 3 * count, count, Math.floor(count / 9), 0] };
}

/* ---- sessions of clients */

const clientOf = (fleet, url) => {
  const [kind, principal, client] = ["kind", "principal", "client"].map((name) => url.searchParams.get(name) ?? "");
  const found = fleet.clients.find((each) => each.client === client && each.principal.kind === kind && each.principal.id === principal);
  if (!found) throw new Refusal(404, `there is no session with the client identifier '${client}' of ${kind} ${principal}`);
  return found;
};

function listClients(fleet, url) {
  const ask = Object.fromEntries(url.searchParams);
  const has = ({ client, principal, connected }) =>
    (!ask.search || `${client} ${principal.id}`.toLowerCase().includes(ask.search.toLowerCase())) && (!ask.connected || String(connected) === ask.connected);
  const all = fleet.clients.filter(has);
  const from = Number(ask.after ?? 0);
  const page = all.slice(from, from + Number(ask.limit ?? 100));
  const sessions = page.map(({ watches, ...session }) => session);
  return { sessions, total: all.length, next: from + page.length < all.length ? String(from + page.length) : null };
}

function kick(fleet, url) {
  const found = clientOf(fleet, url);
  if (url.searchParams.get("state") === "true") fleet.clients = fleet.clients.filter((each) => each !== found);
  else Object.assign(found, { connected: false, since: new Date().toISOString(), peer: null, transport: null });
  fleet.event("session.kicked", found.principal.kind === "device" ? found.principal.id : null, { operator: "ada", client: found.client });
  return { status: 204 };
}

/* "+" and "#" as MQTT has them (5.0, 4.7.1). */
function matches(filter, topic) {
  const [want, have] = [filter.split("/"), topic.split("/")];
  for (let at = 0; at < want.length; at++) {
    if (want[at] === "#") return true;
    if (have[at] === undefined || (want[at] !== "+" && want[at] !== have[at])) return false;
  }
  return want.length === have.length;
}

function tail(fleet, request, response, url) {
  const filter = url.searchParams.get("filter") ?? "";
  if (!filter || /#./.test(filter)) throw new Refusal(400, "Parameter 'filter' must be a topic filter like devices/+/telemetry.");
  if (filter.startsWith("$SYS")) throw new Refusal(403, "policy: it may not subscribe to this filter");
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  response.write(":\n\n");
  const send = (topic, text) => {
    if (!matches(filter, topic)) return;
    const payload = { bytes: Buffer.byteLength(text), whole: true, encoding: "text", data: text };
    const properties = { content_type: null, response_topic: null, correlation_data: null, user: [] };
    const message = { time: new Date().toISOString(), topic, qos: 1, retain: false, expires: null, payload, properties };
    response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
  };
  fleet.subscribers.add(send);
  request.on("close", () => fleet.subscribers.delete(send));
}

function stream(fleet, request, response) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  response.write(": open\n\n");
  const send = (event) => response.write(`id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
  fleet.watchers.add(send);
  request.on("close", () => fleet.watchers.delete(send));
}

function latest(fleet, device) {
  if (!device.last_seen) return { values: [] };
  const values = fleet.values(device, Date.parse(device.last_seen));
  return { values: Object.entries(values).map(([metric, value]) => ({ metric, time: device.last_seen, value, unit: null })) };
}

/* "METHOD path" → (fleet, {request, url, name, id}) → {status?, cookie?, body?} */
const OPEN = {
  async "POST /setup"(fleet, { request }) {
    const { secret, name, password } = await bodyOf(request);
    if (secret !== fleet.secret) throw new Refusal(403, "the one-time link was used already or has expired");
    fleet.secret = null;
    fleet.operators.set(name, password);
    fleet.event("operator.created", null, { operator: name });
    return { status: 201, ...opened(fleet, name) };
  },
  async "POST /session"(fleet, { request }) {
    const { name, password } = await bodyOf(request);
    if (fleet.operators.get(name) === password && password) return opened(fleet, name);
    fleet.event("operator.refused", null, { operator: name });
    throw new Refusal(401, "the name or the password is wrong");
  },
};

const SIGNED_IN = {
  "GET /session": (fleet, { name }) => ({ body: { operator: { name }, expires: new Date() } }),
  "DELETE /session": (fleet, { request }) => (fleet.sessions.delete(tokenOf(request)), { status: 204 }),
  "GET /health": (fleet) => ({ body: health(fleet) }),
  "GET /fleet": ({ devices, events }) => ({
    body: {
      devices: devices.length,
      connected: devices.filter(({ connected }) => connected).length,
      active: devices.filter(({ state }) => state === "active").length,
      events: events.length,
      samples: 182311,
    },
  }),
  "GET /devices": (fleet, { url }) => ({ body: listDevices(fleet, url) }),
  "GET /devices/:id": (fleet, { id }) => ({ body: shown(deviceOf(fleet, id)) }),
  "DELETE /devices/:id"(fleet, { id }) {
    const device = deviceOf(fleet, id);
    fleet.devices = fleet.devices.filter((each) => each !== device);
    fleet.event("device.deleted", id, {});
    return { status: 204 };
  },
  "GET /devices/:id/latest": (fleet, { id }) => ({ body: latest(fleet, deviceOf(fleet, id)) }),
  "GET /devices/:id/series"(fleet, { id, url }) {
    const time = (name) => (/^\d+$/.test(url.searchParams.get(name)) ? Number(url.searchParams.get(name)) : Date.parse(url.searchParams.get(name)));
    return { body: fleet.series(deviceOf(fleet, id), url.searchParams.get("metric"), time("from"), time("to"), Number(url.searchParams.get("limit") ?? 1000)) };
  },
  "GET /devices/:id/documents": (fleet, { id }) => ({ body: { documents: fleet.documents(deviceOf(fleet, id)) } }),
  "GET /events": (fleet, { url }) => ({ body: listEvents(fleet, url) }),
  "GET /sessions": (fleet, { url }) => ({ body: listClients(fleet, url) }),
  "GET /sessions/one": (fleet, { url }) => ({ body: clientOf(fleet, url) }),
  "DELETE /sessions/one": (fleet, { url }) => kick(fleet, url),
  "GET /drain": () => ({ body: { drains: false, reference: null, per_second: 100 } }),
  "GET /tokens": (fleet) => ({ body: { tokens: fleet.tokens } }),
  "POST /tokens": async (fleet, { request, name }) => makeToken(fleet, await bodyOf(request), name),
  "DELETE /tokens/:id"(fleet, { id }) {
    fleet.tokens = fleet.tokens.filter((token) => token.id !== id);
    fleet.event("token.deleted", null, { id });
    return { status: 204 };
  },
};

function routeOf(method, path) {
  const levels = path.split("/");
  const id = ["devices", "tokens"].includes(levels[1]) && levels[2] ? decodeURIComponent(levels[2]) : undefined;
  if (id !== undefined) levels[2] = ":id";
  return [`${method} ${levels.join("/")}`, id];
}

export async function answerApi(fleet, request, response, url) {
  const path = url.pathname.slice("/api/v1".length);
  const [route, id] = routeOf(request.method, path);
  try {
    const name = operatorOf(fleet, request);
    if (!(route in OPEN) && !name) throw new Refusal(401, "nobody is signed in");
    if (route === "GET /events/stream") return stream(fleet, request, response);
    if (route === "GET /tail") return tail(fleet, request, response, url);
    const serve = OPEN[route] ?? SIGNED_IN[route];
    if (!serve) throw new Refusal(404, `there is no ${route}`);
    const { status = 200, cookie, body } = await serve(fleet, { request, url, name, id });
    response.writeHead(status, { "Content-Type": "application/json", ...(cookie && { "Set-Cookie": cookie }) });
    return response.end(body && JSON.stringify(body));
  } catch (cause) {
    response.writeHead(cause.status ?? 500, { "Content-Type": "application/problem+json" });
    return response.end(JSON.stringify({ type: "about:blank", title: "Refused", status: cause.status ?? 500, detail: cause.message }));
  }
}
