// What people do on pages: with a mouse, with keys alone, without JavaScript; and what they are told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./browser.mjs";
import { start } from "./node.mjs";
import { stage } from "./stage.mjs";

/** The bar; a test on a machine that does other things as well is held to ten times as much. */
const PIXEL_MS = 200;

const [node, browser] = await stage(start);

/** Runs `story` on a page of its own and holds it to have made no complaint. */
const on = async (options, story) => {
  const page = await open(browser, node.url, options);
  await story(page);
  assert.deepEqual(page.faults, []);
  await page.context().close();
};

for (const javaScriptEnabled of [true, false]) {
  test(`an event is emitted by a form, ${javaScriptEnabled ? "with" : "without"} JavaScript`, async () => {
    await on({ javaScriptEnabled }, async (page) => {
      await page.goto(`${node.url}/ui/events`);
      const form = page.getByTestId("do-events.emit");
      const name = `demo.form_${javaScriptEnabled ? "script" : "plain"}`;
      await form.getByLabel("Name").fill(name);
      await form.getByLabel("Data").fill('{"answer": 42}');
      await form.getByRole("button", { name: "Emit" }).click();
      await page.getByTestId("told").waitFor();
      await page.getByRole("link", { name }).first().click();
      await page.getByTestId("events-detail").getByText('"answer": 42').waitFor();
    });
  });
}

test("what does not fit is said in words, and leads back", async () => {
  await on({}, async (page) => {
    await page.goto(`${node.url}/ui/events`);
    const form = page.getByTestId("do-events.emit");
    await form.getByLabel("Name").fill("demo.broken");
    await form.getByLabel("Data").fill("{not json");
    await form.getByRole("button", { name: "Emit" }).click();
    const fault = page.getByTestId("fault");
    await fault.getByText("is not JSON").waitFor();
    assert.equal(await fault.getByRole("link", { name: "Back" }).getAttribute("href"), "/ui/events");
    page.faults = page.faults.filter((fault) => !fault.includes("400"));
  });
});

test("an act is copied as curl, and the copied line does what the form would", async () => {
  await on({}, async (page) => {
    await page.goto(`${node.url}/ui/events`);
    const form = page.getByTestId("do-events.emit");
    await form.getByLabel("Name").fill("demo.copied");
    await form.getByLabel("Data").fill(`{"quote": "it's"}`);
    await form.getByText("Copy as curl or CLI").click();
    const curl = await form.locator("[data-copy=curl]", { hasText: node.url }).textContent();
    const { execFileSync } = await import("node:child_process");
    const answer = JSON.parse(execFileSync("bash", ["-c", `${curl} --silent`], { encoding: "utf8" }));
    assert.match(answer.event_id, /^[0-9a-f-]{36}$/);
    const cli = await form.locator("[data-copy=cli]", { hasText: "demo.copied" }).textContent();
    assert.match(cli, /^xyn event emit demo\.copied --data /);
  });
});

test("keys alone lead everywhere: the palette, the list of keys, rows", async () => {
  await on({}, async (page) => {
    await page.goto(`${node.url}/ui/events`);
    await page.keyboard.press("Control+k");
    await page.keyboard.type("health");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ui/health");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("e");
    await page.waitForURL("**/ui/events");
    await page.keyboard.press("j");
    assert.ok(await page.evaluate(() => document.activeElement.matches(".row-link")));
    await page.keyboard.press("Enter");
    await page.getByTestId("events-detail").waitFor();
  });
});

test("the palette offers acts: those of the page, which it shows and does not send, and those of every page", async () => {
  await on({}, async (page) => {
    await page.goto(`${node.url}/ui/events`);
    await page.keyboard.press("Control+k");
    await page.keyboard.type("emit");
    await page.keyboard.press("Enter");
    assert.ok(await page.evaluate(() => document.activeElement.closest("[data-testid='do-events.emit']") !== null));
    await page.keyboard.press("Control+k");
    await page.keyboard.type("start a run");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ui/runs/new");
  });
});

test("something is found by its id", async () => {
  const id = (await (await fetch(`${node.url}/api/v1/events?limit=1`)).json()).items[0].event_id;
  await on({}, async (page) => {
    await page.goto(`${node.url}/ui/runs`);
    await page.keyboard.press("Control+k");
    await page.keyboard.type(id);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/ui/events/${id}`);
  });
});

test("the theme is chosen without JavaScript, and kept", async () => {
  await on({ javaScriptEnabled: false }, async (page) => {
    await page.goto(`${node.url}/ui/settings`);
    await page.getByRole("button", { name: "light" }).first().click();
    await page.waitForURL("**/ui/settings");
    assert.equal(await page.locator("html").getAttribute("data-theme"), "light");
    await page.goto(`${node.url}/ui/runs`);
    assert.equal(await page.locator("html").getAttribute("data-theme"), "light");
  });
});

test("an event shows on an open page within 200 ms", { timeout: 120_000 }, async () => {
  await on({}, async (page) => {
    await page.goto(`${node.url}/ui/events`);
    await page.waitForFunction(() => document.documentElement.dataset.link === "up");
    const emit = (name) => fetch(`${node.url}/api/v1/events`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ event_name: name }),
    });
    // What the driver of the browser does when it looks for something for the first time is no part of it.
    await page.getByRole("link", { name: "Console" }).first().waitFor();
    const took = [];
    for (let round = 0; round < 10; round += 1) {
      await page.waitForTimeout(250);
      const name = `demo.seen_${round}`;
      const seen = page.getByRole("link", { name }).first().waitFor().then(() => performance.now());
      const began = performance.now();
      await emit(name);
      took.push(await seen - began);
    }
    took.sort((one, other) => one - other);
    assert.ok(took[5] < 10 * PIXEL_MS, `an event took ${took[5]} ms to show`);
    console.log(JSON.stringify({ bench: "studio", figure: "event_to_pixel_ms", p50: took[5], max: took[9] }));
  });
});
