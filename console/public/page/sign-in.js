/* The door: signing in, and making the first account with the one-time link. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html, useEffect, useState } from "../html.js";
import { Field } from "../part/field.js";
import { Logo } from "../part/logo.js";
import { makeFirstAccount, signIn } from "../session.js";

function Door({ title, children, submit, verb }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = `${title} · Holdfast`;
  }, [title]);

  async function submitted(event) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await submit(new FormData(event.target));
    } catch (cause) {
      setProblem(cause);
    }
    setBusy(false);
  }

  return html`
    <main class="door" id="main">
      <form onSubmit=${submitted} aria-labelledby="door-title">
        <p class="brand"><${Logo} />Holdfast</p>
        <h1 id="door-title">${title}</h1>
        ${children}
        <p class="notice-room" role="alert">${problem && html`<span class="notice bad">${problem.message}</span>`}</p>
        <button type="submit" class="primary" disabled=${busy}>${verb}</button>
      </form>
    </main>
  `;
}

export const SignIn = () => html`
  <${Door} title="Sign in" verb="Sign in" submit=${(form) => signIn(form.get("name"), form.get("password"))}>
    <${Field} label="Name" name="name" autocomplete="username" required autofocus maxlength="64" autocapitalize="none" spellcheck=${false} />
    <${Field} label="Password" name="password" type="password" autocomplete="current-password" required />
  <//>
`;

async function makeAccount(secret, form) {
  if (form.get("password") !== form.get("again")) throw new Error("The two passwords differ.");
  await makeFirstAccount(secret, form.get("name"), form.get("password"));
}

/* The secret is only in memory: after a reload the link must be opened again. */
export const FirstAccount = ({ secret, leave }) => html`
  <${Door} title="Make the first account" verb="Make the account" submit=${(form) => makeAccount(secret, form).then(leave)}>
    <p class="prose">This link works once. The account you make now may do everything, so choose a password that nobody guesses:
      several words are good.</p>
    <${Field} label="Name" name="name" autocomplete="username" required autofocus maxlength="64" autocapitalize="none" spellcheck=${false}
      hint="Letters, digits and . _ -" />
    <${Field} label="Password" name="password" type="password" autocomplete="new-password" required minlength="12" hint="At least 12 characters" />
    <${Field} label="Password again" name="again" type="password" autocomplete="new-password" required />
    <p class="hint">Is there an account already? <button type="button" class="link" onClick=${leave}>Sign in</button></p>
  <//>
`;
