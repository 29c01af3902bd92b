/* How a device is: connected or not, and its state in its life cycle. Never by colour alone. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html } from "../html.js";

export const Presence = ({ device }) => html`
  <span class="presence ${device.connected ? "on" : "off"}">
    <span class="dot" aria-hidden="true"></span>${device.connected ? "connected" : "not connected"}
  </span>
`;

export const StateBadge = ({ state }) => html`<span class="badge state-${state}">${state}</span>`;

export const SeverityBadge = ({ severity }) => html`<span class="badge severity-${severity}">${severity}</span>`;
