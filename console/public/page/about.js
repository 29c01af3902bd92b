/* The server itself: version, store, what it counts, and the licences of the console's packages. */
/* SPDX-License-Identifier: Apache-2.0 */
import { useAnswer } from "../answer.js";
import { duration } from "../duration.js";
import { html } from "../html.js";
import { Facts, rowsOf } from "../part/facts.js";
import { ProblemNotice, Waiting } from "../part/notice.js";
import { Page } from "../part/page.js";
import { Ago, useEvery } from "../time.js";

const REFRESH_MS = 5000;

const counted = ([name, text]) => [name.replaceAll("_", " "), /^\d+$/.test(text) ? Number(text).toLocaleString("en") : text];

function Health({ health }) {
  const { status, version, started, uptime_s: uptime, store, numbers, latencies, ...counts } = health;
  return html`
    <section class="card" aria-labelledby="health-title">
      <h2 id="health-title">Server</h2>
      <p><span class="badge health-${status}">${status}</span></p>
      <${Facts} rows=${[["Version", version], ["Started", html`<${Ago} when=${started} />`], ["Up for", duration(uptime)]]} />
    </section>
    <section class="card" aria-labelledby="store-title">
      <h2 id="store-title">Store</h2>
      <p><span class="badge health-${store.status}">${store.status}</span></p>
      <p>${store.detail}</p>
    </section>
    <section class="card" aria-labelledby="counts-title">
      <h2 id="counts-title">Counts</h2>
      <${Facts} rows=${rowsOf({ ...counts, ...numbers }).map(counted)} />
    </section>
  `;
}

export function About() {
  const { answer, problem, refresh } = useAnswer("/health");
  useEvery(REFRESH_MS, refresh);
  return html`
    <${Page} title="About">
      <${ProblemNotice} problem=${problem} />
      ${answer ? html`<div class="cards"><${Health} health=${answer} /></div>` : !problem && html`<${Waiting} />`}
      <p class="prose">
        The console shows nothing that the <a href="/api/v1/openapi.json">HTTP API</a> does not give. Devices and programs that verify this
        server need its <a href="/api/v1/ca.pem" download="holdfast-ca.pem">root certificate</a>. Holdfast is free under the Apache Licence 2.0;
        the packages inside the console have <a href="/vendor/licences.txt">licences of their own</a>.
      </p>
    <//>
  `;
}
