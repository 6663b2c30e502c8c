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
  /** The desk at 200 %. */
  zoomed: { width: 680, height: 450 },
};

/** Nodes that a page may hold, and bytes that it may transfer: the first one, and those behind it. */
export const LIMITS = { nodes: 2_000, firstBytes: 150_000, nextBytes: 60_000 };

export async function launch() {
  await mkdir(SHOTS, { recursive: true });
  const executablePath = process.env.XYN_CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
}

/** A page in `theme`, whose complaints, failed requests and requests elsewhere are gathered in `page.faults`. */
export async function open(browser, url, { theme = "dark", size = "desk", javaScriptEnabled = true, reducedMotion = "reduce" } = {}) {
  const context = await browser.newContext({ viewport: SIZES[size], reducedMotion, javaScriptEnabled });
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

/** A scale: each time it is asked, the bytes that came over the wire for `page` since it was asked before. */
export async function scale(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Network.enable");
  let bytes = 0;
  cdp.on("Network.loadingFinished", ({ encodedDataLength }) => { bytes += encodedDataLength; });
  return () => {
    const came = bytes;
    bytes = 0;
    return came;
  };
}

/** Nothing that axe-core knows of WCAG 2.2 AA is amiss on `page`. Evaluated beside the page's own policy. */
export async function accessible(page, what) {
  await page.evaluate(AXE);
  const found = await page.evaluate(
    (values) => globalThis.axe.run(document, { runOnly: { type: "tag", values } }),
    RULES,
  );
  assert.deepEqual(found.violations.map(told), [], `${what}: axe-core`);
  await readable(page, what);
}

const told = (rule) => `${rule.id}: ${rule.help}\n${rule.nodes.slice(0, 3).map((node) => `    ${node.target} ${node.failureSummary}`).join("\n")}`;

/** Why a text is not measured that is scrolled away, covered by something else, or none yet. */
const UNSEEN = ["bgOverlap", "elmPartiallyObscured", "elmPartiallyObscuring", "outsideViewport", "emptyValue"];

/** Every text stands out from what is behind it, what is folded as well. axe-core can not measure against a gradient or
 * a drawing: the ground is held flat where it glows most, which is where it is nearest to the texts, and words in
 * drawings are measured here. Then nothing may be left that was not measured. */
async function readable(page, what) {
  await page.evaluate(() => {
    const tokens = getComputedStyle(document.documentElement);
    globalThis.behind = (...layers) => {
      const canvas = document.createElement("canvas").getContext("2d");
      for (const layer of layers) {
        canvas.fillStyle = layer;
        canvas.fillRect(0, 0, 1, 1);
      }
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const layers = ["--ground", "--glow-a", "--glow-b"].map((name) => tokens.getPropertyValue(name).trim());
    document.body.style.background = `rgb(${globalThis.behind(...layers).join(" ")})`;
    globalThis.folded = [...document.querySelectorAll("details:not([open])")];
    for (const fold of globalThis.folded) fold.open = true;
  });
  const { passes, violations, incomplete } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ["color-contrast"],
    checks: { "color-contrast": { options: { ignoreLength: true, ignoreUnicode: false } } },
  }));
  const faint = await page.evaluate(faintWords);
  await page.evaluate(() => {
    document.body.style.removeProperty("background");
    for (const fold of globalThis.folded) fold.open = false;
  });
  assert.deepEqual(violations.map(told), [], `${what}: contrast`);
  assert.deepEqual(faint, [], `${what}: contrast of drawings`);
  const left = incomplete.flatMap((rule) => rule.nodes);
  const unmeasured = left.filter((node) => !node.html.startsWith("<text ") && !UNSEEN.includes(node.any[0]?.data?.messageKey));
  assert.deepEqual(unmeasured.map((node) => `${node.html} ${node.failureSummary}`), [], `${what}: contrast that was not measured`);
  const measured = passes.flatMap((rule) => rule.nodes).length;
  assert.ok(measured > left.length, `${what}: of ${measured + left.length} texts ${measured} were measured`);
}

/** Words in drawings that stand out less than 4.5 to 1 from the box they are in, or else from what the drawing is on. */
function faintWords() {
  const luminance = (rgb) => rgb.map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  return [...document.querySelectorAll("svg text")].filter((text) => text.checkVisibility()).map((text) => {
    const layers = [];
    for (let on = text.closest("svg"); on; on = on.parentElement) layers.unshift(getComputedStyle(on).backgroundColor);
    const box = text.parentElement.querySelector(":scope > rect");
    if (box) layers.push(getComputedStyle(box).fill);
    const { fill } = getComputedStyle(text);
    const [more, less] = [globalThis.behind(...layers), globalThis.behind(...layers, fill)].map(luminance).sort((one, other) => other - one);
    return { text: text.textContent, fill, ratio: (more + 0.05) / (less + 0.05) };
  }).filter(({ ratio }) => ratio < 4.5);
}

/** The page holds no more than it may, and nothing of it lies beyond its right edge, or where it can not be got at. */
export async function bounded(page, what) {
  const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
  assert.ok(nodes < LIMITS.nodes, `${what}: ${nodes} nodes`);
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(beyond <= 0, `${what}: ${beyond} px wider than the window`);
  assert.deepEqual(await page.evaluate(cutOff), [], `${what}: cut off`);
}

/** What a panel cuts off: it lies beyond the panel's edge, and nothing between the two scrolls or says that it cuts. */
function cutOff() {
  const clips = (element) => getComputedStyle(element).overflowX !== "visible";
  const isHidden = (element) => getComputedStyle(element).clipPath !== "none";
  const cut = [];
  for (const panel of document.querySelectorAll(".panel")) {
    if (!["hidden", "clip"].includes(getComputedStyle(panel).overflowX)) continue;
    const edge = panel.getBoundingClientRect().right + 1;
    const walk = (element) => {
      for (const inner of element.children) {
        if (isHidden(inner) || !inner.checkVisibility()) continue;
        const by = inner.getBoundingClientRect().right - edge;
        if (by > 0) cut.push(`${inner.localName}.${inner.classList} by ${Math.ceil(by)} px: ${inner.textContent.trim().slice(0, 40)}`);
        else if (!clips(inner)) walk(inner);
      }
    };
    walk(panel);
  }
  return cut;
}

export async function shoot(page, name) {
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}
