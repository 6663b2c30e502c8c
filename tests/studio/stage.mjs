// What the tests of a file play on: nodes and a browser, begun with the file and ended with its last test.

import { after } from "node:test";
import { launch } from "./browser.mjs";

/** Nobody waits longer than this for a stage. */
const BEGINS_MS = 300_000;

/** What `begin` starts, which has a `stop`, and a browser. */
export async function stage(begin) {
  const late = setTimeout(() => { throw new Error(`nothing had begun after ${BEGINS_MS} ms`); }, BEGINS_MS);
  const [started, browser] = await Promise.allSettled([begin(), launch()]);
  clearTimeout(late);
  after(async () => {
    await browser.value?.close();
    await started.value?.stop();
  });
  for (const { reason } of [started, browser]) if (reason) throw reason;
  return [started.value, browser.value];
}
