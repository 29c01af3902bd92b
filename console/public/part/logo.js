/* The mark: a kelp's holdfast, which grips a stone while the blades move with the water. Same drawing as favicon.svg. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html } from "../html.js";

export const Logo = () => html`
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path class="blade" d="M15.6 15C9.6 14.2 6.2 9.8 7.4 3.4c5 1.6 8.2 5.6 8.2 11.6Z" />
    <path class="blade" d="M16.6 12.2c.4-4.8 3.2-8.2 8.2-9.4.8 5.4-2.4 9-8.2 9.4Z" />
    <path class="stem" d="M16 20.5c.2-4.5-.2-7.5.2-10.5" />
    <path class="root" d="M16 19.5c-.6 3.6-3.4 4-6.2 5.2M16 19.5c.6 3.6 3.4 4 6.2 5.2M16 19.5c-.4 3-2 4.6-3 6.5M16 19.5c.4 3 2 4.6 3 6.5M16 19.5v7" />
    <path class="stone" d="M5.5 28.6c1.6-2.9 5.2-4 10.5-4s8.9 1.1 10.5 4Z" />
  </svg>
`;
