/* Sentences about how things are: a problem, an empty place, a wait. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html } from "../html.js";

/* A lost connection has its own banner (frame.js) and is not repeated at every part of the page. */
export const ProblemNotice = ({ problem }) =>
  problem && problem.status !== 0 && problem.status !== 401
    ? html`<p class="notice bad" role="alert">${problem.message}</p>`
    : null;

/* Why there is nothing, and what to do next (children). */
export const Empty = ({ title, children }) => html`
  <div class="empty">
    <p class="empty-title">${title}</p>
    <p>${children}</p>
  </div>
`;

export const Waiting = () => html`<p class="waiting" role="status">Reading…</p>`;
