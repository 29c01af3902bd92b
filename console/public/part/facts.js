/* Names and values side by side; nested objects flatten with ".". */
/* SPDX-License-Identifier: Apache-2.0 */
import { html } from "../html.js";

/* `rows`: [name, value] pairs; empty values are left out. */
export const Facts = ({ rows }) => html`
  <dl class="facts">
    ${rows
      .filter(([, value]) => value !== undefined && value !== null && value !== "")
      .map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>
`;

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/* [name, text] pairs of any JSON object. */
export function rowsOf(object, prefix = "") {
  return Object.entries(object ?? {}).flatMap(([name, value]) => {
    if (isObject(value)) return rowsOf(value, `${prefix}${name}.`);
    return [[prefix + name, Array.isArray(value) ? JSON.stringify(value) : String(value)]];
  });
}
