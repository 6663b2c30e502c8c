// A real node in a folder of its own, filled by its own command line, and stopped with the tests.

import { spawn, execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The binary under test. */
export const XYN = process.env.XYN_BIN ?? fail("XYN_BIN names no binary: run tests/run, or set it to one");

function fail(message) {
  throw new Error(message);
}

/** A running node: `url`, `xyn(...arguments)` → what it prints, `json(...)` → the same, read; `stop()`. */
export const start = (...options) => startWith({}, ...options);

/** The same with the `config` in its folder, and `variables` in its environment. */
export async function startWith({ config = "", variables = {} }, ...options) {
  const home = await mkdtemp(join(tmpdir(), "xyn-studio-"));
  const data = join(home, "data");
  const env = { PATH: process.env.PATH, HOME: home, NO_COLOR: "1", ...variables };
  if (config) {
    await mkdir(data);
    await writeFile(join(data, "config.toml"), config);
  }
  const args = ["up", "--json", "--data", data, "--listen", "127.0.0.1:0", ...options];
  const child = spawn(XYN, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (bytes) => { log += bytes; });
  const url = await new Promise((resolve, reject) => {
    let out = "";
    child.on("exit", (code) => reject(new Error(`the node ended with ${code}:\n${log}`)));
    child.stdout.on("data", (bytes) => {
      out += bytes;
      if (out.includes("\n")) resolve(`http://${JSON.parse(out).listen[0]}`);
    });
  });
  const xyn = async (...words) => (await run(XYN, words, { env: { ...env, XYN_URL: url }, maxBuffer: 1 << 26 })).stdout;
  const json = async (...words) => JSON.parse(await xyn(...words, "--json"));
  const stop = async () => {
    child.removeAllListeners("exit");
    const ended = new Promise((resolve) => { child.once("exit", resolve); });
    child.kill("SIGTERM");
    await ended;
    await rm(home, { recursive: true, force: true });
  };
  return { url, home, data, env, xyn, json, stop, log: () => log };
}

/** Asks `condition` again and again until it holds; the last answer is thrown when it does not in time. */
export async function until(what, condition, timeoutMs = 60_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}
