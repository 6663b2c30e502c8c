// Each page, in both themes and three widths: it loads without a complaint, axe-core finds nothing, it is bounded,
// it is all there without JavaScript, and a picture of it is kept.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accessible, bounded, open, scale, shoot, LIMITS, SIZES } from "./browser.mjs";
import { team } from "./fill.mjs";
import { stage } from "./stage.mjs";

const [used, browser] = await stage(team);
const { node, pages } = used;

const NAMES = [
  "events", "event", "runs", "run", "run_asks", "launcher", "artifacts", "artifact", "approvals", "timeline",
  "timeline_diff", "workspaces", "workspace", "reviews", "review", "capsules", "capsule", "deploys",
  "deploy", "blueprints", "blueprint", "editor", "policies", "audit", "mesh", "member", "health", "settings",
];

/** What those lead to. */
const WITHIN = [
  "step", "run_data", "fork", "drafts", "version_diff", "policy", "policy_editor", "why", "intent", "proof", "excluded",
  "files", "file", "merge", "review_file", "capsule_provenance", "capsule_packages", "capsule_files",
  "capsule_manifest", "capsule_diff", "capsule_elsewhere", "fault",
];

/** What a hand opens on a page: where, what it does, and what shows then. */
const OPENED = {
  palette: ["events", (page) => page.keyboard.press("Control+k"), (page) => page.getByRole("dialog", { name: "Go to" })],
  help: ["events", (page) => page.keyboard.press("?"), (page) => page.getByRole("dialog", { name: "Keys" })],
  side_panel: ["events", (page) => page.locator(".row-link").first().click(), (page) => page.getByTestId("events-detail")],
  ticket: ["mesh", async (page) => {
    const form = page.getByTestId("invite");
    await form.locator("[name=principal]").fill("eve@studio");
    await form.getByRole("button").first().click();
  }, (page) => page.getByTestId("ticket")],
  confirm: ["capsule", async (page) => {
    const form = page.getByTestId("do-capsule.deploy");
    await form.locator("[name=stage]").selectOption("prod");
    await form.locator("button:not([type])").click();
  }, (page) => page.getByTestId("confirm")],
};

/** Each theme at a desk; the phone in one, and 320 pixels, which is also a desk at 400 % zoom, in the other. */
const VIEWS = [["dark", "desk"], ["light", "desk"], ["light", "phone"], ["dark", "narrow"]];
const FEWER_VIEWS = [["dark", "desk"], ["light", "phone"]];

/** Every command that a page offered to copy. */
const commands = new Set();

/** A page as it was left is held to all that a page is held to. */
const holds = async (page, what, theme, size) => {
  await bounded(page, what);
  for (const line of await page.evaluate(() => [...document.querySelectorAll("[data-cli]")].map((form) => form.dataset.cli))) commands.add(line);
  await accessible(page, what);
  await shoot(page, what);
  if (size === "desk" && theme === "dark") {
    await page.setViewportSize(SIZES.zoomed);
    await bounded(page, `${what}-zoomed`);
    await shoot(page, `${what}-zoomed`);
  }
};

const looked = (name, theme, size) => test(`${name}: ${theme}, ${size}`, { timeout: 120_000 }, async () => {
  const { path, testid, url = node.url, status = 200 } = pages[name];
  const page = await open(browser, url, { theme, size });
  const came = await scale(page);
  const answer = await page.goto(url + path, { waitUntil: "load" });
  assert.equal(answer.status(), status, name);
  await page.getByTestId(testid).first().waitFor();
  // Whoever has a link begins here.
  const bytes = came();
  assert.ok(bytes > 0 && bytes < LIMITS.firstBytes, `${name}: ${bytes} bytes`);
  await holds(page, `${name}-${theme}-${size}`, theme, size);
  assert.deepEqual(page.faults.filter((fault) => !fault.includes(` ${status} `)), [], name);
  await page.context().close();
});

for (const name of WITHIN) {
  for (const [theme, size] of FEWER_VIEWS) looked(name, theme, size);
}

for (const [name, [on, act, shows]] of Object.entries(OPENED)) {
  for (const [theme, size] of FEWER_VIEWS) {
    test(`${name}: ${theme}, ${size}`, { timeout: 120_000 }, async () => {
      const page = await open(browser, node.url, { theme, size });
      await page.goto(node.url + pages[on].path, { waitUntil: "load" });
      await act(page);
      await shows(page).waitFor();
      await holds(page, `${name}-${theme}-${size}`, theme, size);
      assert.deepEqual(page.faults, [], name);
      await page.context().close();
    });
  }
}

for (const name of NAMES) {
  describe(name, () => {
    for (const [theme, size] of VIEWS) looked(name, theme, size);

    test(`${name}: without JavaScript`, { timeout: 120_000 }, async () => {
      const page = await open(browser, node.url, { javaScriptEnabled: false });
      await page.goto(node.url + pages[name].path, { waitUntil: "load" });
      assert.ok(await page.getByTestId(pages[name].testid).first().isVisible(), name);
      await page.context().close();
    });
  });
}

test("a page after the first one brings what is its own", { timeout: 300_000 }, async () => {
  const page = await open(browser, node.url);
  const came = await scale(page);
  await page.goto(node.url + pages.events.path, { waitUntil: "load" });
  const first = came();
  assert.ok(first < LIMITS.firstBytes, `${first} bytes`);
  for (const name of [...NAMES, ...WITHIN]) {
    const { path, url = node.url } = pages[name];
    if (url !== node.url) continue;
    await page.goto(url + path, { waitUntil: "load" });
    const bytes = came();
    assert.ok(bytes > 0 && bytes < LIMITS.nextBytes, `${name}: ${bytes} bytes`);
  }
  await page.goto(node.url + pages.events.path, { waitUntil: "load" });
  assert.ok(came() < first, "what the browser has is not sent again");
  await page.context().close();
});

test("an act is copied from every form that does one", { timeout: 300_000 }, async () => {
  const page = await open(browser, node.url);
  const bare = [];
  for (const name of [...NAMES, ...WITHIN]) {
    const { path, url = node.url } = pages[name];
    await page.goto(url + path, { waitUntil: "load" });
    const found = await page.evaluate(() => [...document.querySelectorAll("main form[method=post]:not([action='/ui/theme'])")]
      .filter((form) => !form.querySelector("details.copy")).map((form) => form.getAttribute("action")));
    bare.push(...found.map((action) => `${name}: ${action}`));
  }
  assert.deepEqual(bare, []);
  await page.context().close();
});

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
