// Pages that stay open while things happen: a flood does not stop them, they say when the node is gone, and they move
// and shine no more than somebody wants.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, LIMITS } from "./browser.mjs";
import { start, until } from "./node.mjs";
import { stage } from "./stage.mjs";

/** The bars. A page on a machine that does other things as well may stand still ten times as long; how many events such
 * a machine sends is told. */
const RATE = 500;
/** A live page asks no more often than this in a second: fewer events would try nothing. */
const ASKED = 8;
const LONG_MS = 100;
const SECONDS = 4;

const [node, browser] = await stage(start);

const post = async (path, body) => (await fetch(`${node.url}/api/v1/${path}`, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
})).json();

/** Sends as many events as the node takes; how many a second. */
const flood = async () => {
  const begun = performance.now();
  let sent = 0;
  const sender = async () => {
    while (performance.now() - begun < SECONDS * 1_000) {
      const { event_id } = await post("events", { event_name: "demo.flood" });
      sent += event_id ? 1 : 0;
    }
  };
  await Promise.all(Array.from({ length: 32 }, sender));
  return sent * 1_000 / (performance.now() - begun);
};

for (const [name, path] of [
  ["the console", async () => "/ui/events"],
  ["a run", async () => `/ui/runs/${(await post("runs", { blueprint: "bp.demo.approval", inputs: { service: "shop", version: "1" } })).run_id}`],
  ["the Time Machine", async () => "/ui/timeline"],
  ["approvals", async () => "/ui/approvals"],
]) {
  test(`${name} goes on while events stream in`, { timeout: 120_000 }, async (told) => {
    const page = await open(browser, node.url);
    await page.goto(node.url + await path(), { waitUntil: "load" });
    await page.waitForFunction(() => document.documentElement.dataset.link === "up");
    await page.evaluate(() => {
      globalThis.long = [];
      new PerformanceObserver((list) => globalThis.long.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
    });
    const rate = await flood();
    const { long, nodes } = await page.evaluate(() => ({ long: globalThis.long, nodes: document.querySelectorAll("*").length }));
    const longest = Math.max(0, ...long);
    console.log(JSON.stringify({ bench: "studio", figure: "flood", page: name, events_per_second: Math.round(rate), long_tasks: long.length, longest_ms: longest, nodes }));
    if (rate < RATE) told.diagnostic(`a machine that is busy sent ${Math.round(rate)} events a second, and not ${RATE}: the bar itself was not tried`);
    assert.ok(rate > ASKED, `${Math.round(rate)} events a second are no flood`);
    assert.ok(nodes < LIMITS.nodes, `${nodes} nodes`);
    assert.ok(longest < 10 * LONG_MS, `the page stood still for ${longest} ms`);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

/** A page of somebody who asked the system for this. */
const wants = async (feature, value, path) => {
  const page = await open(browser, node.url, { reducedMotion: null });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Emulation.setEmulatedMedia", { features: [{ name: feature, value }] });
  await page.goto(node.url + path, { waitUntil: "load" });
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog", { name: "Go to" }).waitFor();
  return page;
};
/** What moves, and what one sees through. */
const looks = (page) => page.evaluate(() => {
  const every = [...document.querySelectorAll("*")].flatMap((element) => [undefined, "::before", "::after", "::backdrop"].map((part) => getComputedStyle(element, part)));
  const isLong = (times) => times.split(",").some((time) => parseFloat(time) > 0);
  return {
    moving: every.filter((style) => style.animationName !== "none" && isLong(style.animationDuration) || isLong(style.transitionDuration)).length,
    blurred: every.filter((style) => style.backdropFilter !== "none").length,
    glass: [...document.querySelectorAll(".panel")].map((panel) => getComputedStyle(panel).backgroundColor).filter((colour) => /rgba|\/ 0?\.\d/.test(colour)).length,
  };
});

for (const path of ["/ui/events", "/ui/timeline"]) {
  test(`nothing moves on ${path} for whoever wants less motion`, { timeout: 60_000 }, async () => {
    const [still, plain] = [await wants("prefers-reduced-motion", "reduce", path), await wants("prefers-reduced-motion", "no-preference", path)];
    assert.equal((await looks(still)).moving, 0);
    assert.ok((await looks(plain)).moving > 0, "it does for others");
    for (const page of [still, plain]) await page.context().close();
  });

  test(`nothing is seen through on ${path} for whoever wants less transparency`, { timeout: 60_000 }, async () => {
    const [solid, plain] = [await wants("prefers-reduced-transparency", "reduce", path), await wants("prefers-reduced-transparency", "no-preference", path)];
    const { blurred, glass } = await looks(solid);
    assert.deepEqual({ blurred, glass }, { blurred: 0, glass: 0 });
    const others = await looks(plain);
    assert.ok(others.blurred > 0 && others.glass > 0, "it is for others");
    for (const page of [solid, plain]) await page.context().close();
  });
}

test("a page says that the node is gone", { timeout: 120_000 }, async () => {
  const lone = await start();
  const page = await open(browser, lone.url);
  await page.goto(`${lone.url}/ui/events`, { waitUntil: "load" });
  await page.waitForFunction(() => document.documentElement.dataset.link === "up");
  assert.equal(await page.getByText(/not connected/).count(), 0);
  await lone.stop();
  await page.locator("html[data-link=lost]").waitFor({ state: "attached" });
  await page.getByText(/not connected/).first().waitFor();
  assert.equal(await page.locator(".state:visible", { hasText: /^following$/ }).count(), 0, "and no more that it follows");
  await page.context().close();
});

/** A page of which the browser says that nobody sees it, until `shows` is called. */
const unseen = async () => {
  const page = await open(browser, node.url);
  await page.addInitScript(() => {
    globalThis.isUnseen = true;
    Object.defineProperty(document, "hidden", { get: () => globalThis.isUnseen });
  });
  const shows = () => page.evaluate(() => {
    globalThis.isUnseen = false;
    document.dispatchEvent(new Event("visibilitychange"));
  });
  return { page, shows };
};

test("a page that nobody sees holds no connection until somebody looks", { timeout: 60_000 }, async () => {
  const { page, shows } = await unseen();
  const streams = [];
  page.on("request", (request) => { if (request.resourceType() === "eventsource") streams.push(request.url()); });
  await page.goto(`${node.url}/ui/events`, { waitUntil: "networkidle" });
  assert.deepEqual(streams, []);
  await shows();
  await page.waitForFunction(() => document.documentElement.dataset.link === "up");
  assert.deepEqual(streams.map((url) => new URL(url).pathname), ["/ui/live"]);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("an empty Time Machine asks once at a time, and again when the node could not be reached", { timeout: 60_000 }, async () => {
  const page = await open(browser, node.url);
  const held = [];
  await post("timeline/branch", { name: "just-begun" });
  await page.route("**/ui/live", (route) => route.abort());
  await page.route("**/ui/timeline/_lanes*", (route) => { held.push(route); });
  await page.goto(`${node.url}/ui/timeline?branch=just-begun`, { waitUntil: "load" });
  assert.equal(await page.locator(".track").count(), 0);
  const moved = () => page.evaluate(() => document.body.dispatchEvent(new CustomEvent("moved")));
  const asked = (count) => until(`${count} questions`, async () => held.length >= count);
  for (let time = 0; time < 5; time += 1) await moved();
  await asked(1);
  await held[0].abort();
  await asked(2);
  assert.equal(held.length, 2, "what moved while it asked is asked for once");
  await held[1].abort();
  await page.evaluate(() => new Promise((done) => { setTimeout(done); }));
  await moved();
  await asked(3);
  await held[2].continue();
  const own = page.faults.filter((fault) => !/ERR_FAILED/.test(fault));
  assert.deepEqual(own, []);
  await page.context().close();
});
