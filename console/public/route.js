/* The address behind "#": which page is shown, and with which parameters. The server knows one page only. */
/* SPDX-License-Identifier: Apache-2.0 */
import { signal } from "./signal.js";

/* "#/devices/pump-7?tab=events" → {path: ["devices", "pump-7"], parameters: {tab: "events"}}. */
function parse(hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split("?");
  const levels = path.split("/").filter(Boolean);
  return { path: levels.map(decoded), parameters: Object.fromEntries(new URLSearchParams(search)) };
}

function decoded(level) {
  try {
    return decodeURIComponent(level);
  } catch {
    return level;
  }
}

export const route = signal(parse(location.hash));
addEventListener("hashchange", () => route.set(parse(location.hash)));

export function address(path, parameters = {}) {
  const set = Object.entries(parameters).filter(([, value]) => value);
  const search = set.length ? "?" + new URLSearchParams(set) : "";
  return "#/" + path.map(encodeURIComponent).join("/") + search;
}

export function go(path, parameters) {
  location.hash = address(path, parameters);
}

/* Changes the parameters of the page that is shown, without a new step in the browser's history. */
export function refine(parameters) {
  const { path, parameters: old } = route.get();
  history.replaceState(null, "", address(path, { ...old, ...parameters }));
  route.set(parse(location.hash));
}

/* The secret of a one-time link (#setup=...), or null. It leaves the address bar at once, so that neither the
 * browser's history nor a screen shared later gives it away. */
export function takeSetupSecret() {
  const secret = new URLSearchParams(location.hash.slice(1)).get("setup");
  if (secret === null) return null;
  history.replaceState(null, "", "#/");
  route.set(parse(location.hash));
  return secret;
}
