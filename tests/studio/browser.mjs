// A real Chromium, and what every page is held to.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Where screenshots are kept. */
const SHOTS = process.env.XYN_SHOTS ?? "shots";
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export const SIZES = {
  desk: { width: 1360, height: 900 },
  phone: { width: 390, height: 844 },
  narrow: { width: 320, height: 700 },
};

/** Nodes that a page may hold, and bytes that it may transfer: the first one, and those behind it. */
export const LIMITS = { nodes: 2_000, firstBytes: 150_000, nextBytes: 60_000 };

export async function launch() {
  await mkdir(SHOTS, { recursive: true });
  const executablePath = process.env.XYN_CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
}

/** A page in `theme`, whose complaints, failed requests and requests elsewhere are gathered in `page.faults`. */
export async function open(browser, url, { theme = "dark", size = "desk", javaScriptEnabled = true } = {}) {
  const context = await browser.newContext({ viewport: SIZES[size], reducedMotion: "reduce", javaScriptEnabled });
  await context.addCookies([{ name: "theme", value: theme, url: `${url}/ui/` }]);
  const page = await context.newPage();
  page.faults = [];
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => page.faults.push(`script: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) page.faults.push(`asked elsewhere: ${request.url()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 500) page.faults.push(`${response.status()}: ${response.url()}`);
  });
  return page;
}

/** Nothing that axe-core knows of WCAG 2.2 AA is amiss on `page`. Evaluated beside the page's own policy. */
export async function accessible(page, what) {
  await page.evaluate(AXE);
  const found = await page.evaluate(
    (values) => globalThis.axe.run(document, { runOnly: { type: "tag", values } }),
    RULES,
  );
  const said = found.violations.map((rule) => `${rule.id}: ${rule.help}\n${rule.nodes.slice(0, 3).map((node) => `    ${node.target} ${node.failureSummary}`).join("\n")}`);
  assert.deepEqual(said, [], `${what}: axe-core`);
}

/** The page holds no more than it may, and nothing of it lies beyond its right edge. */
export async function bounded(page, what) {
  const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
  assert.ok(nodes < LIMITS.nodes, `${what}: ${nodes} nodes`);
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(beyond <= 0, `${what}: ${beyond} px wider than the window`);
}

export async function shoot(page, name) {
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}
