/* Every kind of event with its severity and its sentence. tests/console/kinds.test.mjs holds this against src/core/event.def. */
/* SPDX-License-Identifier: Apache-2.0 */
export const KINDS = {
  "server.started": { severity: "info", sentence: "The server started." },
  "server.stopped": { severity: "info", sentence: "The server stopped in order." },
  "loop.stalled": { severity: "error", sentence: "An event loop did not come to the end of a turn for longer than limits.loop-stall; those who are connected to it waited." },
  "store.full": { severity: "error", sentence: "A batch could not be committed because the disk has no room; nothing in it was acknowledged." },
  "store.failed": { severity: "error", sentence: "A batch could not be committed; nothing in it was acknowledged." },
  "store.recovered": { severity: "info", sentence: "The store commits again." },
  "device.enrolled": { severity: "info", sentence: "A device got its first certificate." },
  "device.renewed": { severity: "info", sentence: "A device renewed its certificate." },
  "device.deleted": { severity: "warning", sentence: "An operator deleted a device; its certificate is refused from now on." },
  "device.connected": { severity: "info", sentence: "A device opened a session." },
  "device.disconnected": { severity: "info", sentence: "A device's session ended." },
  "device.event": { severity: "info", sentence: "A device reported an event of its own." },
  "enrolment.refused": { severity: "warning", sentence: "An enrolment was refused; the reason is in the detail." },
  "connection.refused": { severity: "warning", sentence: "A handshake or CONNECT was refused, or a connection was ended because its certificate had been revoked; the reason is in the detail." },
  "publish.refused": { severity: "warning", sentence: "A device published where it may not." },
  "subscribe.refused": { severity: "warning", sentence: "A device subscribed where it may not." },
  "payload.refused": { severity: "warning", sentence: "A payload could not be parsed; it was answered as such and not stored." },
  "request.limited": { severity: "warning", sentence: "A device sent more than its rate allows; what was over it was refused." },
  "protocol.error": { severity: "warning", sentence: "A peer broke the protocol and was disconnected." },
  "subscriber.slow": { severity: "warning", sentence: "A subscriber did not read and its queue was full." },
  "token.created": { severity: "info", sentence: "An operator made an enrolment token." },
  "token.deleted": { severity: "info", sentence: "An operator deleted an enrolment token." },
  "session.kicked": { severity: "warning", sentence: "An operator ended a client's session." },
  "server.draining": { severity: "warning", sentence: "An operator sends all clients away, for maintenance." },
  "server.drain-ended": { severity: "info", sentence: "An operator ended the maintenance: clients are let in again." },
  "operator.created": { severity: "info", sentence: "An operator account was made with the one-time link." },
  "operator.signed-in": { severity: "info", sentence: "An operator signed in." },
  "operator.signed-out": { severity: "info", sentence: "An operator signed out." },
  "operator.refused": { severity: "warning", sentence: "A sign-in was refused." },
};

export const SEVERITIES = ["info", "warning", "error"];

export const sentenceOf = (kind) => KINDS[kind]?.sentence ?? "";
