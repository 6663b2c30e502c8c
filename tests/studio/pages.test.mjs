// Each page, in both themes and three widths: it loads without a complaint, axe-core finds nothing, it is bounded,
// it is all there without JavaScript, and a picture of it is kept.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { accessible, bounded, launch, open, shoot, LIMITS } from "./browser.mjs";
import { team } from "./fill.mjs";

let used;
let node;
let browser;
let pages;

before(async () => {
  used = await team();
  ({ node, pages } = used);
  browser = await launch();
}, { timeout: 180_000 });
after(async () => {
  await browser?.close();
  await used?.stop();
});

const NAMES = [
  "events", "event", "runs", "run", "run_asks", "launcher", "artifacts", "artifact", "approvals", "timeline",
  "timeline_diff", "workspaces", "workspace", "reviews", "review", "capsules", "capsule", "deploys",
  "deploy", "blueprints", "blueprint", "editor", "policies", "audit", "mesh", "member", "health", "settings",
];

/** Each theme at a desk; the phone in one, and 320 pixels, which is also a desk at 400 % zoom, in the other. */
const VIEWS = [["dark", "desk"], ["light", "desk"], ["light", "phone"], ["dark", "narrow"]];

/** Every command that a page offered to copy. */
const commands = new Set();

for (const name of NAMES) {
  describe(name, () => {
    for (const [theme, size] of VIEWS) {
      test(`${name}: ${theme}, ${size}`, { timeout: 120_000 }, async () => {
        const page = await open(browser, node.url, { theme, size });
        const what = `${name} ${theme} ${size}`;
        const answer = await page.goto(node.url + pages[name].path, { waitUntil: "load" });
        assert.equal(answer.status(), 200, what);
        await page.getByTestId(pages[name].testid).first().waitFor();
        await bounded(page, what);
        for (const line of await page.evaluate(() => [...document.querySelectorAll("[data-cli]")].map((form) => form.dataset.cli))) commands.add(line);
        await accessible(page, what);
        await shoot(page, `${name}-${theme}-${size}`);
        assert.deepEqual(page.faults, [], what);
        await page.context().close();
      });
    }

    test(`${name}: without JavaScript, and within its bytes`, { timeout: 120_000 }, async () => {
      const page = await open(browser, node.url, { javaScriptEnabled: false });
      const asked = [];
      page.on("requestfinished", (request) => asked.push(request));
      await page.goto(node.url + pages[name].path, { waitUntil: "load" });
      assert.ok(await page.getByTestId(pages[name].testid).first().isVisible(), name);
      const sizes = await Promise.all(asked.map(async (request) => {
        const { responseBodySize, responseHeadersSize } = await request.sizes();
        return { bytes: responseBodySize + responseHeadersSize, kept: request.url().startsWith(`${node.url}/ui/assets/`) };
      }));
      const sum = (some) => some.reduce((bytes, size) => bytes + size.bytes, 0);
      const [first, next] = [sum(sizes), sum(sizes.filter((size) => !size.kept))];
      assert.ok(next > 0 && next < LIMITS.nextBytes, `${name}: ${next} bytes beside what the browser has kept`);
      assert.ok(first > next && first < LIMITS.firstBytes, `${name}: ${first} bytes`);
      await page.context().close();
    });
  });
}

test("every command that a page offers exists, with its options", { timeout: 120_000 }, async () => {
  const lines = [...commands].filter(Boolean);
  assert.ok(lines.length > 0);
  for (const line of lines) {
    // Of the words that a field chooses among, the first one.
    const said = line.replaceAll(/\{[\w.]+\?[^}=]*=(\w+)[^}]*\}/g, "$1");
    const words = said.split(" ").slice(1);
    const command = words.slice(0, words.findIndex((word, index) => index > 0 && !/^[a-z]+$/.test(word)) >>> 0);
    const help = await node.xyn(...command, "--help");
    for (const [option] of said.matchAll(/--[a-z-]+/g)) assert.ok(help.includes(option), `${line}: ${option}`);
  }
});
