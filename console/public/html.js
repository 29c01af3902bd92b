/* The view library in one place: preact with htm's templates, which need no compiler. */
/* SPDX-License-Identifier: Apache-2.0 */
import { h } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { render } from "./vendor/preact.js";
export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
export const html = htm.bind(h);
