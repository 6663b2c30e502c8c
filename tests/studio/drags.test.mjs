// The Time Machine by hand: the tape is dragged, clicked and turned, keys lead to its ends, and the moment that comes
// under the needle is the one that is shown.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "./browser.mjs";
import { start } from "./node.mjs";

const MOMENTS = 40;
/** Between two moments of the tape, in pixels. */
const PITCH = 22;

let node;
let browser;
let ids;

before(async () => {
  node = await start();
  browser = await launch();
  ids = [];
  for (let number = 0; number < MOMENTS; number += 1) {
    const answer = await fetch(`${node.url}/api/v1/timeline/note`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ title: `moment ${number}` }),
    });
    ids.push((await answer.json()).entry_id);
  }
}, { timeout: 180_000 });
after(async () => {
  await browser?.close();
  await node?.stop();
});

/** The page with the moment of this number under the needle. */
const at = async (number) => {
  const page = await open(browser, node.url);
  await page.goto(`${node.url}/ui/timeline?at=${ids[number]}`, { waitUntil: "load" });
  await page.locator(".stage.live").waitFor();
  const box = await page.locator(".tape").boundingBox();
  return { page, x: box.x + box.width / 2, y: box.y + box.height / 2 };
};
/** The moment of this number is under the needle, shown, and what the address says. */
const shows = async (page, number) => {
  await page.locator("#moment-title", { hasText: new RegExp(`^moment ${number}$`) }).waitFor();
  assert.match(await page.getByRole("slider", { name: "Moment" }).getAttribute("aria-valuetext"), new RegExp(`moment ${number}\\b`));
  assert.equal(new URL(page.url()).searchParams.get("at"), ids[number]);
  assert.deepEqual(page.faults, []);
  await page.context().close();
};

test("dragging the tape to the right leads back, a moment a step", { timeout: 120_000 }, async () => {
  const { page, x, y } = await at(20);
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 3 * PITCH, y, { steps: 6 });
  await page.mouse.up();
  await shows(page, 17);
});

test("a click on a moment brings it under the needle", { timeout: 120_000 }, async () => {
  const { page, x, y } = await at(20);
  await page.mouse.click(x + 4 * PITCH, y);
  await shows(page, 24);
});

test("turning the wheel sideways moves the tape", { timeout: 120_000 }, async () => {
  const { page, x, y } = await at(20);
  await page.mouse.move(x, y);
  await page.mouse.wheel(-5 * PITCH, 0);
  await shows(page, 15);
});

for (const [key, number] of [["Home", 0], ["End", MOMENTS - 1], ["ArrowLeft", 19], ["ArrowRight", 21], ["PageUp", 30], ["Shift+ArrowLeft", 10]]) {
  test(`the key ${key} leads there`, { timeout: 120_000 }, async () => {
    const { page } = await at(20);
    await page.getByRole("slider", { name: "Moment" }).focus();
    await page.keyboard.press(key);
    await shows(page, number);
  });
}
