/* MQTT 5 in a WebSocket before the made-up fleet: as much of both as one console needs to watch a device. It trusts its
 * peer, which is the console on the same machine; the server's real doors are in src/door. */
/* SPDX-License-Identifier: Apache-2.0 */
import { createHash } from "node:crypto";
import { operatorOf } from "./fake-api.mjs";

const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, 1.3
const BINARY = 0x82;
const CLOSE = 8;

function frame(data) {
  const head = data.length < 126 ? Buffer.from([BINARY, data.length]) : Buffer.from([BINARY, 126, data.length >> 8, data.length & 255]);
  return Buffer.concat([head, data]);
}

/* Takes whole frames off the front of the buffer: {opcode, data} each; gives what is left over. */
function unframed(buffer, take) {
  while (buffer.length >= 6) {
    const long = (buffer[1] & 127) === 126;
    const length = long ? buffer.readUInt16BE(2) : buffer[1] & 127;
    const start = (long ? 4 : 2) + 4;
    if (buffer.length < start + length) break;
    const mask = buffer.subarray(start - 4, start);
    take({ opcode: buffer[0] & 15, data: buffer.subarray(start, start + length).map((byte, at) => byte ^ mask[at % 4]) });
    buffer = buffer.subarray(start + length);
  }
  return buffer;
}

function lengthBytes(length) {
  return length < 128 ? [length] : [(length & 127) | 128, length >> 7];
}

function packet(first, ...parts) {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return frame(Buffer.concat([Buffer.from([first, ...lengthBytes(body.length)]), body]));
}

const text = (value) => Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)]);

function publish(topic, payload) {
  return packet(0x30, text(topic), [0], payload);
}

/* The console subscribes to one filter: devices/{id}/telemetry/#. */
function prefixOf(subscribe) {
  const at = 1 + (subscribe[1] & 128 ? 2 : 1) + 2;
  const filter = at + 1 + subscribe[at];
  const length = subscribe.readUInt16BE(filter);
  return subscribe.toString("utf8", filter + 2, filter + 2 + length).replace(/\/#$/, "");
}

export function acceptMqtt(fleet, request, socket) {
  if (request.url !== "/mqtt" || !operatorOf(fleet, request)) return socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
  const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + MAGIC).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);

  let prefix = null;
  const pass = (topic, payload) => prefix !== null && topic.startsWith(prefix) && socket.write(publish(topic, payload));
  const handlers = {
    1: () => socket.write(packet(0x20, [0, 0, 0])),
    8(data) {
      prefix = prefixOf(data);
      const at = 1 + (data[1] & 128 ? 2 : 1);
      socket.write(packet(0x90, data.subarray(at, at + 2), [0, 0]));
    },
    12: () => socket.write(packet(0xd0)),
    14: () => socket.end(),
  };
  let left = Buffer.alloc(0);
  socket.on("data", (data) => {
    left = unframed(Buffer.concat([left, data]), (one) => (one.opcode === CLOSE ? socket.end() : handlers[one.data[0] >> 4]?.(one.data)));
  });
  fleet.subscribers.add(pass);
  const gone = () => fleet.subscribers.delete(pass);
  socket.on("close", gone).on("error", gone);
  return undefined;
}
