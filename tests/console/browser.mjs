/* A browser for the console's tests: Debian's Chromium, driven by the playwright-core of console/node_modules. */
/* SPDX-License-Identifier: Apache-2.0 */
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { chromium } = createRequire(new URL("../../console/package.json", import.meta.url))("playwright-core");

const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const WIDE = { width: 1280, height: 860 };
const PHONE = { width: 360, height: 740 };

export const launch = () => chromium.launch({ executablePath: process.env.HOLDFAST_CHROMIUM ?? "/usr/bin/chromium", args: ARGS });

/* Gives {context, page, complaints}: complaints collects what the browser holds against the page, violations of the
 * Content-Security-Policy among it. A refused call is no complaint: some tests provoke one. */
export async function open(browser, complaints, options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: WIDE, colorScheme: "light", reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    const refusedCall = /Failed to load resource: the server responded with a status of 40[0134]/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !refusedCall) complaints.push(`${message.type()}: ${message.text()}`);
  });
  return { context, page };
}

/* Pictures for people, when SCREENSHOTS names a folder. */
export async function picture(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

/* The page in both widths and both colours; ends wide and light. Gives the widths at which it can be scrolled sideways. */
export async function lookAround(page, name) {
  const sideways = [];
  for (const [size, viewport] of [["phone", PHONE], ["wide", WIDE]]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["dark", "light"]) {
      await page.emulateMedia({ colorScheme });
      await page.waitForFunction((wanted) => document.documentElement.dataset.theme === wanted, colorScheme);
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      await picture(page, `${name}-${size}-${colorScheme}`);
    }
    if (await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)) sideways.push(`${name} ${size}`);
  }
  return sideways;
}
