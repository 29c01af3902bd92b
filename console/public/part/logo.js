/* The mark: a kelp's holdfast, which grips a stone while the blades move with the water. Same drawing as favicon.svg. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html } from "../html.js";

export const Logo = () => html`
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path class="blade" d="M15.4 13.6C9.4 13.4 5.8 9.6 6.2 2.6c5.6 1.2 9 5 9.2 11Z" />
    <path class="blade" d="M16.8 11.4c.2-4.8 3-8 8.6-9 .4 5.6-3 8.8-8.6 9Z" />
    <path class="stone" d="M4.6 27.2c0-3.6 5-5.4 11.4-5.4s11.4 1.8 11.4 5.4c0 2.6-4.8 3.4-11.4 3.4S4.6 29.8 4.6 27.2Z" />
    <path class="stem" d="M16.2 17c0-3 .1-4.6.1-7" />
    <path class="root" d="M16.2 16.5c-1 4.5-5.2 4.5-8.700 8.5M16.2 16.5c-.6 5-3.2 6-4.700 10.800M16.2 16.5v11.800M16.2 16.5c.6 5 3.2 6 4.700 10.800M16.2 16.5c1 4.5 5.2 4.5 8.700 8.5" />
  </svg>
`;
