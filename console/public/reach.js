/* Finds the server again after it stopped answering: asks with growing pauses until it does. */
/* SPDX-License-Identifier: Apache-2.0 */
import { reach } from "./api.js";
import { learnSession } from "./session.js";

const PAUSE_MS = 1000;
const PAUSE_MS_MAX = 10000;

export function watchReach() {
  let timer = null;
  const attempt = (pause) => {
    timer = setTimeout(async () => {
      await learnSession().catch(() => {});
      timer = null;
      if (reach.get() === "lost") attempt(Math.min(pause * 2, PAUSE_MS_MAX));
    }, pause);
  };
  reach.listen((state) => state === "lost" && timer === null && attempt(PAUSE_MS));
  addEventListener("online", () => learnSession().catch(() => {}));
}
