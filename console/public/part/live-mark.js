/* Whether what is shown moves by itself. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html } from "../html.js";

export const LiveMark = ({ live }) => html`
  <span class="live-mark ${live ? "on" : "off"}" role="status"><span class="dot" aria-hidden="true"></span>${live ? "Live" : "Connecting…"}</span>
`;
