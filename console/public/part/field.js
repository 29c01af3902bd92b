/* A labelled control of a form or of a filter bar. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html, useId } from "../html.js";

export function Field({ label, hint, ...rest }) {
  const id = useId();
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <input id=${id} aria-describedby=${hint ? id + "-hint" : undefined} ...${rest} />
      ${hint && html`<p class="hint" id=${id + "-hint"}>${hint}</p>`}
    </div>
  `;
}

/* `choices`: [value, text] pairs. */
export function Choice({ label, value, choices, change }) {
  const id = useId();
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <select id=${id} value=${value} onChange=${(event) => change(event.currentTarget.value)}>
        ${choices.map(([key, text]) => html`<option key=${key} value=${key} selected=${key === value}>${text}</option>`)}
      </select>
    </div>
  `;
}

/* The page's search box; "/" jumps here (app.js). */
export function Search({ label, value, change, placeholder }) {
  const id = useId();
  return html`
    <div class="field search">
      <label for=${id}>${label}</label>
      <input id=${id} type="search" data-search placeholder=${placeholder} value=${value} autocomplete="off" spellcheck=${false}
        aria-keyshortcuts="/" onInput=${(event) => change(event.currentTarget.value)} />
    </div>
  `;
}
