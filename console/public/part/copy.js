/* Text to take along: a command or a fingerprint, with a button that copies it. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html, useEffect, useRef, useState } from "../html.js";

const SHOWN_MS = 2500;

function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}

const SAYS = { idle: "Copy", copied: "Copied", selected: "Selected: press Ctrl+C" };

export function CopyBox({ text, label }) {
  const box = useRef(null);
  const [state, setState] = useState("idle");
  useEffect(() => {
    if (state === "idle") return undefined;
    const timer = setTimeout(() => setState("idle"), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [state]);

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
    } catch {
      select(box.current); // the browser forbids it; one key is then left to press
      setState("selected");
    }
  }

  return html`
    <div class="copy-box">
      <pre ref=${box} tabindex="0" aria-label=${label}><code>${text}</code></pre>
      <button type="button" onClick=${copy} aria-live="polite">${SAYS[state]}</button>
    </div>
  `;
}
