/* A question before something that cannot be undone. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html, useEffect, useRef, useState } from "../html.js";
import { ProblemNotice } from "./notice.js";

/* `act` is asynchronous; when it throws, the dialog stays open and shows why. */
export function Confirm({ title, verb, act, close, children }) {
  const dialog = useRef(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  useEffect(() => dialog.current.showModal(), []);

  async function confirmed(event) {
    event.preventDefault();
    setBusy(true);
    try {
      await act();
      close();
    } catch (cause) {
      setProblem(cause);
      setBusy(false);
    }
  }

  return html`
    <dialog ref=${dialog} onClose=${close} aria-labelledby="confirm-title">
      <form onSubmit=${confirmed}>
        <h2 id="confirm-title">${title}</h2>
        <div class="prose">${children}</div>
        <${ProblemNotice} problem=${problem} />
        <div class="actions">
          <button type="button" autofocus onClick=${() => dialog.current.close()}>Cancel</button>
          <button type="submit" class="danger" disabled=${busy}>${verb}</button>
        </div>
      </form>
    </dialog>
  `;
}
