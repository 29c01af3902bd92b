/* A device's telemetry as it arrives: MQTT over WebSocket to this same server, signed in by the session cookie. The
 * library is large and only needed here, so it is loaded with the first device page. */
/* SPDX-License-Identifier: Apache-2.0 */
import { useEffect, useState } from "./html.js";
import { samplesOf } from "./telemetry.js";

const OPTIONS = {
  protocolVersion: 5,
  clean: true,
  keepalive: 30,
  reconnectPeriod: 2000,
  connectTimeout: 10000,
  // The default timers are a worker made from a blob, which the Content-Security-Policy forbids.
  timerVariant: "native",
};

const address = () => `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/mqtt`;

/* Calls take(samples) for each message of the device and say("open" or "closed"). Returns the function that ends it. */
function follow(device, take, say) {
  let client = null;
  let ended = false;
  import("./vendor/mqtt.js").then(({ default: mqtt }) => {
    if (ended) return;
    client = mqtt.connect(address(), { ...OPTIONS, clientId: `console-${crypto.randomUUID().slice(0, 13)}` });
    client.on("connect", () => client.subscribe(`devices/${device}/telemetry/#`, { qos: 0 }, (refused) => say(refused ? "closed" : "open")));
    client.on("message", (topic, payload) => take(samplesOf(topic, new TextDecoder().decode(payload), Date.now())));
    client.on("close", () => say("closed"));
    client.on("error", () => say("closed")); // "close" and another attempt follow
  });
  return () => {
    ended = true;
    client?.end(true);
  };
}

/* "open" or "closed". `take` must stay the same function while the device does. */
export function useLiveTelemetry(device, take) {
  const [state, setState] = useState("closed");
  useEffect(() => follow(device, take, setState), [device, take]);
  return state;
}
