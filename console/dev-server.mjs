/* A development aid: serves the console as the server does (same files, same Content-Security-Policy) before a made-up
 * fleet of three devices, so that pages can be drawn and looked at without building anything.
 *
 *   node console/dev-server.mjs [port]      then open the address that it prints */
/* SPDX-License-Identifier: Apache-2.0 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { answerApi } from "./dev/fake-api.mjs";
import { Fleet } from "./dev/fake-fleet.mjs";
import { acceptMqtt } from "./dev/fake-mqtt.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
  "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/* The same rewriting as in tools/embed.py, which also checks that nothing else is imported. */
async function vendored(path) {
  const vendor = JSON.parse(await readFile(join(HERE, "vendor.json"), "utf8"));
  if (!(path in vendor.modules)) return null;
  let text = await readFile(join(HERE, "node_modules", vendor.modules[path]), "utf8");
  for (const [bare, relative] of Object.entries(vendor.imports)) text = text.replace(`from"${bare}"`, `from"${relative}"`);
  return text;
}

async function serveFile(path, response) {
  const name = path === "/" ? "/index.html" : normalize(path);
  const body = (await vendored(name)) ?? (await readFile(join(HERE, "public", name)).catch(() => null));
  if (body === null) return response.writeHead(404).end();
  const type = TYPES[extname(name)] ?? "application/octet-stream";
  return response.writeHead(200, { "Content-Type": type, "Content-Security-Policy": CSP, "Cache-Control": "no-cache" }).end(body);
}

/* Gives {url, secret, close()}. */
export async function startDevServer(port = 0) {
  const fleet = new Fleet();
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    const work = url.pathname.startsWith("/api/v1/") ? answerApi(fleet, request, response, url) : serveFile(url.pathname, response);
    work.catch((cause) => response.writeHead(500).end(String(cause)));
  });
  server.on("upgrade", (request, socket) => acceptMqtt(fleet, request, socket));
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = () => {
    fleet.stop();
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://localhost:${server.address().port}`, secret: fleet.secret, fleet, close };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url, secret } = await startDevServer(Number(process.argv[2] ?? 8480));
  console.log(`A made-up fleet is at ${url}/#setup=${secret}`);
}
