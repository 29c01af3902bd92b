/* Calls to the server's HTTP API. Every failure becomes a Problem whose message is a sentence for the operator.
 *
 * Happy path: call() sends JSON with the session cookie and gives the parsed answer. When the answer is 401 the session
 * is over and `operator` becomes null, which shows the sign-in page. When there is no answer at all, `reach` turns to
 * "lost"; call() keeps failing until reach.js hears from the server again. */
/* SPDX-License-Identifier: Apache-2.0 */
import { signal } from "./signal.js";

export const PREFIX = "/api/v1";

/* undefined: not known yet; null: nobody is signed in; else {name}. */
export const operator = signal(undefined);
/* "ok" or "lost": whether the server answered last time. */
export const reach = signal("ok");

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.name = "Problem";
    this.status = status; // 0: no answer
  }
}

const SENTENCES = {
  401: "You are not signed in.",
  403: "You may not do this.",
  404: "There is no such thing on the server.",
  413: "This is larger than the server accepts.",
  429: "Too many attempts. Try again in a minute.",
  503: "The server is busy or its store does not accept changes. Try again in a moment.",
};

function sentence(text) {
  const trimmed = text.trim();
  const whole = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(whole) ? whole : whole + ".";
}

/* RFC 9457: `detail` explains this occurrence, `title` the kind. */
async function problemOf(response) {
  const body = await response.json().catch(() => ({}));
  const said = body?.detail || SENTENCES[response.status] || body?.title;
  return new Problem(response.status, sentence(said || `The server answered with status ${response.status}`));
}

async function ask(path, options) {
  try {
    const response = await fetch(PREFIX + path, options);
    reach.set("ok");
    return response;
  } catch (cause) {
    if (cause.name === "AbortError") throw cause;
    reach.set("lost");
    throw new Problem(0, "The server does not answer.");
  }
}

/* Gives the answer's JSON, or null when there is none. `options`: method, body (an object), signal. */
export async function call(path, { method = "GET", body, signal: abort } = {}) {
  const response = await ask(path, {
    method,
    signal: abort,
    credentials: "same-origin",
    cache: "no-store",
    headers: body ? { "Content-Type": "application/json", Accept: "application/json" } : { Accept: "application/json" },
    body: body ? JSON.stringify(body) : undefined,
  });
  if (response.ok) return response.status === 204 ? null : response.json();
  const problem = await problemOf(response);
  // At the sign-in itself a 401 says that the password is wrong, which the form shows.
  if (response.status === 401 && !(method === "POST" && path === "/session")) operator.set(null);
  throw problem;
}

/* Why a path that should be a stream is none; null: it is one now. */
export async function refusalOf(path) {
  const abort = new AbortController();
  const response = await ask(path, { credentials: "same-origin", cache: "no-store", signal: abort.signal });
  const problem = response.ok ? null : await problemOf(response);
  abort.abort();
  if (response.status === 401) operator.set(null);
  return problem;
}

/* "?a=1&b=2" of what is set; "" when nothing is. */
export function query(parameters) {
  const set = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return set.length ? "?" + new URLSearchParams(set) : "";
}

export const devicePath = (id) => "/devices/" + encodeURIComponent(id);
