/* The console in a browser, the whole way: one-time link, fleet, a device's moving plots, a token, events, signing out and in.
 *
 *   HOLDFAST_URL             the server; without it the console runs before the made-up fleet of console/dev-server.mjs
 *   HOLDFAST_SETUP_SECRET    the secret of its one-time link, not used yet
 *   HOLDFAST_EXPECT_DEVICES  how many connected devices it has (3)
 *   SCREENSHOTS              a folder for pictures of every page, light and dark, wide and narrow (optional)
 *
 * The steps build on each other, in one browser. Every wait is for something that the page then shows. */
/* SPDX-License-Identifier: Apache-2.0 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, lookAround, open } from "./browser.mjs";

const NAME = "ada";
const PASSWORD = "kelp holds to the stone 7";
const PATIENCE_MS = 60000;

const made = process.env.HOLDFAST_URL ? null : await (await import("../../console/dev-server.mjs")).startDevServer();
const url = (process.env.HOLDFAST_URL ?? made.url).replace(/\/$/, "");
const secret = process.env.HOLDFAST_SETUP_SECRET ?? made?.secret;
const expected = Number(process.env.HOLDFAST_EXPECT_DEVICES ?? 3);

const complaints = [];
const sideways = [];
let browser, page, context;

before(async () => {
  browser = await launch();
  ({ page, context } = await open(browser, complaints));
  page.setDefaultTimeout(PATIENCE_MS);
});

after(async () => {
  await browser?.close();
  made?.close();
});

const heading = (text) => page.getByRole("heading", { level: 1, name: text, exact: true }).waitFor();
const link = (text) => page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: text }).click();
const look = async (name) => sideways.push(...(await lookAround(page, name)));
const points = (plot) => page.locator(plot).getAttribute("data-points").then(Number);

test("a stranger is asked to sign in, and is told when the password is wrong", async () => {
  await page.goto(url + "/");
  await heading("Sign in");
  await page.getByLabel("Name").fill("nobody");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  const said = page.getByRole("alert").locator(".notice");
  await said.waitFor();
  assert.match(await said.textContent(), /^[A-Z].* .*\.$/, "a refusal is a sentence");
  await look("sign-in");
});

test("the one-time link makes the first account, and leaves the address bar", async () => {
  await page.goto(`${url}/#setup=${secret}`);
  await heading("Make the first account");
  assert.ok(!page.url().includes(secret), "the secret is not in the address any more");
  await look("first-account");
  await page.getByLabel("Name").fill(NAME);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("Password again").fill(PASSWORD + "x");
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.getByText("The two passwords differ.").waitFor();
  await page.getByLabel("Password again").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the account" }).click();
  await heading("Fleet");
});

test(`the fleet shows ${expected} devices, and all of them connect`, async () => {
  await page.locator("tr[data-device]").nth(expected - 1).waitFor();
  await page.waitForFunction((count) => document.querySelectorAll("tr[data-device] .presence.on").length >= count, expected);
  await page.waitForFunction((count) => Number(document.querySelector("[data-tile=Connected]").textContent) >= count, expected);
  await look("fleet");
});

test("the search narrows, '/' goes to it, and the address remembers it", async () => {
  const id = await page.locator("tr[data-device]").last().getAttribute("data-device");
  await page.locator("h1").click();
  await page.keyboard.press("/");
  await page.keyboard.type(id);
  await page.waitForFunction((only) => [...document.querySelectorAll("tr[data-device]")].every((row) => row.dataset.device.includes(only)), id);
  assert.ok(page.url().includes(encodeURIComponent(id)));
  await page.reload();
  await page.locator(`tr[data-device="${id}"]`).waitFor();
  await page.getByRole("searchbox").fill("no device has this in its name");
  await page.getByText("No device matches").waitFor();
  await look("fleet-empty");
  await page.getByRole("link", { name: "show all devices" }).click();
  await page.locator("tr[data-device]").nth(expected - 1).waitFor();
});

test("long lists come in pages", async () => {
  // The server is asked for pages of two, so that three devices are already a long list.
  await page.route(/\/api\/v1\/(devices|events)\?/, (route) => route.continue({ url: route.request().url().replace("limit=50", "limit=2") }));
  await page.reload();
  await page.getByRole("link", { name: "Next" }).click();
  await page.getByRole("link", { name: "First page" }).waitFor();
  await page.waitForFunction((left) => document.querySelectorAll("tr[data-device]").length === left, Math.min(expected - 2, 2));
  await page.getByRole("link", { name: "First page" }).click();
  await page.waitForFunction(() => document.querySelectorAll("tr[data-device]").length === 2);
  await link("Events");
  await page.locator(".event").nth(1).waitFor();
  const before = await page.locator(".event").count();
  await page.getByRole("button", { name: "Older events" }).click();
  await page.waitForFunction((count) => document.querySelectorAll(".event").length >= count + 2, before);
  await page.unrouteAll();
  await link("Fleet");
  await page.locator("tr[data-device]").nth(expected - 1).waitFor();
});

test("a device's plots have a history and gain points while they are watched", async () => {
  await page.locator("tr[data-device]:has(.presence.on) a").first().click();
  const plot = '[data-plot="cpu.load"]';
  await page.waitForFunction((at) => Number(document.querySelector(at)?.dataset.points) > 0, plot);
  await page.locator(".live-mark.on").waitFor();
  const before = await points(plot);
  await page.waitForFunction(([at, count]) => Number(document.querySelector(at).dataset.points) > count, [plot, before]);
  assert.ok((await points(plot)) > before);
  assert.ok((await page.locator(".values tbody tr").count()) > 5, "the latest values are listed");
  await page.getByText("1 h", { exact: true }).click();
  await page.waitForFunction((at) => Number(document.querySelector(at).dataset.points) > 0, plot);
  await look("device-telemetry");
});

test("the inventory names the kernel's release, and packages can be searched", async () => {
  await page.getByRole("link", { name: "Inventory" }).click();
  const kernel = page.locator('[data-document="kernel"]');
  await kernel.waitFor();
  assert.match(await kernel.textContent(), /release\s*\d+\.\d+/);
  await page.getByRole("searchbox").fill("libc6");
  await page.waitForFunction(() => [...document.querySelectorAll(".packages tbody th")].every((cell) => cell.textContent.includes("libc6")));
  assert.ok((await page.locator(".packages tbody tr").count()) >= 1);
  await look("device-inventory");
});

test("the device's own events are listed", async () => {
  await page.getByRole("navigation", { name: "Parts of this device" }).getByRole("link", { name: "Events" }).click();
  await page.locator('.event[data-kind="device.enrolled"]').first().waitFor();
  await look("device-events");
});

test("deleting a device is asked for, and can be called off", async () => {
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("dialog").getByRole("heading").waitFor();
  await look("device-delete");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

test("a device that does not exist has a page that says so", async () => {
  await page.goto(`${url}/#/devices/no-such-device`);
  await page.getByText("No such device").waitFor();
  await look("device-missing");
});

test("an enrolment token shows the command once, and can be deleted", async () => {
  await link("Enrol");
  await heading("Enrol");
  await look("enrol");
  await page.getByLabel("Devices it may enrol").fill("2");
  await page.getByRole("button", { name: "Make the token" }).click();
  const command = page.getByLabel("Enrolment command");
  await command.waitFor();
  assert.match(await command.textContent(), /holdfast-agent enrol --server https:\/\/\S+ --ca-sha256 [0-9a-f]{64}/);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await command.textContent());
  await look("enrol-made");
  const rows = page.locator(".tokens tbody tr");
  await rows.first().waitFor();
  const count = await rows.count();
  await rows.first().getByRole("button").click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.waitForFunction((before) => document.querySelectorAll(".tokens tbody tr").length === before - 1, count);
});

test("the event log shows enrolments, filters, and moves by itself", async () => {
  await link("Events");
  await page.locator(".live-mark.on").waitFor();
  await page.locator('.event[data-kind="token.deleted"]').first().waitFor();
  await look("events");
  await page.getByLabel("Kind").selectOption("device.enrolled");
  await page.waitForFunction((count) => {
    const kinds = [...document.querySelectorAll(".event")].map((row) => row.dataset.kind);
    return kinds.length >= count && kinds.every((kind) => kind === "device.enrolled");
  }, expected);
  await page.getByLabel("Kind").selectOption("token.created");
  await page.waitForFunction(() => [...document.querySelectorAll(".event")].every((row) => row.dataset.kind === "token.created"));
  const before = await page.locator(".event").count();
  await page.evaluate(() => fetch("/api/v1/tokens", { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"group":"default","uses":1,"minutes":1}' }));
  await page.waitForFunction((count) => document.querySelectorAll(".event").length > count, before);
});

test("sessions are listed, searched and filtered", async () => {
  await link("Sessions");
  await heading("Sessions");
  await page.locator("tr[data-session]").nth(1).waitFor();
  await look("sessions");
  await page.getByLabel("Connection").selectOption("true");
  await page.waitForFunction(() => [...document.querySelectorAll("tr[data-session] .presence")].every((mark) => mark.classList.contains("on")));
  await page.locator("h1").click();
  await page.keyboard.press("/");
  await page.keyboard.type("no client has this in its name");
  await page.getByText("No session matches").waitFor();
  await page.getByRole("link", { name: "show all sessions" }).click();
  await page.locator("tr[data-session]").nth(1).waitFor();
});

test("a session shows its subscriptions, and is ended only when that is confirmed", async () => {
  const client = await page.locator("tr[data-session]:has(.presence.on)").first().getAttribute("data-session");
  const open = () => page.locator(`tr[data-session="${client}"] a`).focus().then(() => page.keyboard.press("Enter"));
  await open();
  await heading(client);
  await page.locator("[data-figure=Queued]").waitFor();
  await page.getByRole("heading", { name: "Subscriptions" }).waitFor();
  await look("session");
  await page.getByRole("button", { name: "Disconnect…" }).click();
  await page.getByRole("dialog").waitFor();
  await look("session-kick");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.locator(".presence.on").waitFor();
  await page.getByRole("button", { name: "End session…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End the session" }).click();
  await heading("Sessions");
  await link("Events");
  await page.locator('.event[data-kind="session.kicked"]').first().waitFor();
});

test("a session that does not exist has a page that says so", async () => {
  await page.goto(`${url}/#/sessions?kind=device&principal=nobody&client=a/..%2Fb`);
  await heading("a/../b");
  await page.getByText("No such session").waitFor();
});

test("messages are watched as they pass, held, and gone on with", async () => {
  await link("Live");
  await heading("Live");
  await look("live-empty");
  await page.getByLabel("Topic filter").fill("devices/+/telemetry/#");
  await page.keyboard.press("Enter");
  await page.locator(".message").first().waitFor();
  assert.match(await page.locator(".message").first().getAttribute("data-topic"), /^devices\/[^/]+\/telemetry/);
  await look("live");
  await page.getByRole("button", { name: "Hold" }).click();
  const held = await page.locator("[data-seen]").getAttribute("data-seen");
  await page.getByRole("button", { name: "Clear" }).click();
  await page.locator(".message").first().waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Go on" }).click();
  await page.locator(".message").first().waitFor();
  assert.ok(Number(held) > 0);
});

test("a filter that may not be watched is said to be so", async () => {
  await page.getByLabel("Topic filter").fill("$SYS/#");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText(/may not subscribe/).or(page.locator(".notice", { hasText: "may not subscribe" })).first().waitFor();
  await page.getByLabel("Topic filter").fill("a/#/b");
  await page.getByRole("button", { name: "Watch" }).click();
  await page.locator(".notice", { hasText: "must be a topic filter" }).waitFor();
});

test("the broker's plots move", async () => {
  await link("Broker");
  await heading("Broker");
  for (const plot of ["connections", "sessions", "in", "queued"]) {
    await page.waitForFunction((at) => Number(document.querySelector(`[data-plot="${at}"]`)?.dataset.points) > 2, plot);
  }
  await look("broker");
});

test("the server says how it is", async () => {
  await link("About");
  await page.locator(".badge.health-ok").first().waitFor();
  await look("about");
});

test("an address that names nothing says so", async () => {
  await page.goto(`${url}/#/nowhere`);
  await heading("No such page");
});

test("light and dark can be chosen, and the choice is kept", async () => {
  await page.getByRole("button", { name: "Show in dark colours" }).click();
  await page.reload();
  await page.getByRole("button", { name: "Show in light colours" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.getByRole("button", { name: "Show in light colours" }).click();
  await page.evaluate(() => localStorage.clear());
});

test("when the server is lost the page says so, and finds it again", async () => {
  await link("Fleet");
  await context.setOffline(true);
  await page.getByRole("searchbox").fill("x");
  await page.getByText("The server does not answer.").waitFor();
  await page.setViewportSize({ width: 1280, height: 860 });
  await look("lost");
  await context.setOffline(false);
  await page.getByText("The server does not answer.").waitFor({ state: "detached" });
  await page.getByRole("searchbox").fill("");
  await page.locator("tr[data-device]").nth(expected - 1).waitFor();
  // The browser itself reports the calls that the cut connection failed.
  const own = complaints.filter((line) => !/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED/.test(line));
  complaints.splice(0, complaints.length, ...own);
});

test("signing out ends the session; the keyboard alone signs in again", async () => {
  await page.getByRole("button", { name: "Sign out" }).click();
  await heading("Sign in");
  const status = await page.evaluate(() => fetch("/api/v1/fleet").then((answer) => answer.status));
  assert.equal(status, 401);
  await page.waitForFunction(() => document.activeElement?.name === "name");
  await page.keyboard.type(NAME);
  await page.keyboard.press("Tab");
  await page.keyboard.type("wrong " + PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("alert").locator(".notice").waitFor();
  await page.getByLabel("Password").focus();
  await page.keyboard.press("Control+A");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await heading("Fleet");
});

test("the keyboard alone opens a device", async () => {
  await page.locator("tr[data-device]").nth(expected - 1).waitFor();
  await page.keyboard.press("/");
  const id = await page.locator("tr[data-device]").first().getAttribute("data-device");
  const inFocus = () => page.evaluate(() => document.activeElement?.closest("tr")?.dataset.device);
  for (let presses = 0; (await inFocus()) !== id; presses++) {
    assert.ok(presses < 12, "the first device is a few tabs behind the search");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await heading(id);
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), "H1", "the focus follows to the page's heading");
});

test("no page can be scrolled sideways, and the browser has nothing to complain about", () => {
  assert.deepEqual(sideways, []);
  assert.deepEqual(complaints, []);
});
