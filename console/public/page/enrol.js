/* Enrolment: make a token and show, once, the command that uses it; list and delete the tokens that are alive. */
/* SPDX-License-Identifier: Apache-2.0 */
import { call } from "../api.js";
import { useAnswer } from "../answer.js";
import { html, useState } from "../html.js";
import { Confirm } from "../part/confirm.js";
import { CopyBox } from "../part/copy.js";
import { Choice, Field } from "../part/field.js";
import { Empty, ProblemNotice, Waiting } from "../part/notice.js";
import { Page } from "../part/page.js";
import { Ago, useEvery } from "../time.js";

const REFRESH_MS = 10000;
const LIFETIMES = [["15", "15 minutes"], ["60", "1 hour"], ["480", "8 hours"], ["1440", "1 day"], ["10080", "7 days"], ["43200", "30 days"]];

function Maker({ made }) {
  const [minutes, setMinutes] = useState("60");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);

  async function submitted(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    const body = { group: form.get("group").trim(), uses: Number(form.get("uses")), minutes: Number(minutes) };
    setBusy(true);
    try {
      made(await call("/tokens", { method: "POST", body }));
      setProblem(null);
    } catch (cause) {
      setProblem(cause);
    }
    setBusy(false);
  }

  return html`
    <form class="card maker" onSubmit=${submitted} aria-labelledby="maker-title">
      <h2 id="maker-title">Make a token</h2>
      <p class="prose">A token lets devices enrol into one group. A leaked token is worth as little as its uses and its time: keep both small.</p>
      <div class="fields">
        <${Field} label="Group" name="group" defaultValue="default" required maxlength="64" autocomplete="off" spellcheck=${false} autocapitalize="none" />
        <${Field} label="Devices it may enrol" name="uses" type="number" min="1" max="100000" step="1" defaultValue="1" required />
        <${Choice} label="Valid for" value=${minutes} choices=${LIFETIMES} change=${setMinutes} />
      </div>
      <${ProblemNotice} problem=${problem} />
      <div class="actions"><button type="submit" class="primary" disabled=${busy}>Make the token</button></div>
    </form>
  `;
}

const Made = ({ token, close }) => html`
  <section class="card made" aria-labelledby="made-title">
    <h2 id="made-title">Paste this on the device</h2>
    <p class="prose">It enrols ${token.uses === 1 ? "one device" : `up to ${token.uses} devices`} into “${token.group}” and ends <${Ago} when=${token.expires} />.
      The token is shown only now: the server keeps no more than its hash.</p>
    <${CopyBox} text=${token.command} label="Enrolment command" />
    <div class="actions"><button type="button" onClick=${close}>Done</button></div>
  </section>
`;

const TokenRow = ({ token, remove }) => html`
  <tr>
    <th scope="row">${token.group}<span class="narrow-only faint">by ${token.made_by}</span></th>
    <td class="figure">${token.uses_left} of ${token.uses_total}</td>
    <td><${Ago} when=${token.expires} /></td>
    <td class="wide">${token.made_by}, <${Ago} when=${token.made} /></td>
    <td class="end"><button type="button" class="quiet" onClick=${() => remove(token)} aria-label="Delete the token of group ${token.group}">Delete</button></td>
  </tr>
`;

const Tokens = ({ tokens, remove }) => html`
  <table class="tokens">
    <thead>
      <tr><th scope="col">Group</th><th scope="col">Uses left</th><th scope="col">Ends</th><th scope="col" class="wide">Made by</th><th scope="col"><span class="hidden">Action</span></th></tr>
    </thead>
    <tbody>${tokens.map((token) => html`<${TokenRow} key=${token.id} token=${token} remove=${remove} />`)}</tbody>
  </table>
`;

export function Enrol() {
  const [made, setMade] = useState(null);
  const [doomed, setDoomed] = useState(null);
  const { answer, problem, refresh } = useAnswer("/tokens");
  useEvery(REFRESH_MS, refresh);

  const remove = async () => {
    await call("/tokens/" + encodeURIComponent(doomed.id), { method: "DELETE" });
    refresh();
  };
  return html`
    <${Page} title="Enrol">
      ${made ? html`<${Made} token=${made} close=${() => setMade(null)} />` : html`<${Maker} made=${(token) => (setMade(token), refresh())} />`}
      <h2>Tokens</h2>
      <${ProblemNotice} problem=${problem} />
      ${!answer && !problem && html`<${Waiting} />`}
      ${answer?.tokens.length === 0 && html`<${Empty} title="No tokens">A token stands here from the moment you make it until you delete it.<//>`}
      ${answer?.tokens.length > 0 && html`<${Tokens} tokens=${answer.tokens} remove=${setDoomed} />`}
      ${doomed && html`
        <${Confirm} title="Delete this token?" verb="Delete" act=${remove} close=${() => setDoomed(null)}>
          <p>Nothing can enrol into “${doomed.group}” with it any more. Devices that used it already are not touched.</p>
        <//>`}
    <//>
  `;
}
