/* Who is signed in. The session itself is a cookie that scripts cannot read; the server is asked who it belongs to. */
/* SPDX-License-Identifier: Apache-2.0 */
import { call, operator } from "./api.js";

/* Throws only when the server did not answer, so that nobody is shown a sign-in page because a cable was pulled. */
export async function learnSession() {
  try {
    operator.set((await call("/session")).operator);
  } catch (problem) {
    if (problem.status === 0) throw problem;
    operator.set(null);
  }
}

export async function signIn(name, password) {
  operator.set((await call("/session", { method: "POST", body: { name, password } })).operator);
}

export async function makeFirstAccount(secret, name, password) {
  operator.set((await call("/setup", { method: "POST", body: { secret, name, password } })).operator);
}

export async function signOut() {
  await call("/session", { method: "DELETE" });
  operator.set(null);
}
