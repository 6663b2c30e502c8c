// The Time Machine by hand: the tape is dragged, clicked and turned, keys lead to its ends, and the moment that comes
// under the needle is the one that is shown.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { open } from "./browser.mjs";
import { start } from "./node.mjs";
import { stage } from "./stage.mjs";

const MOMENTS = 40;
/** Between two moments of the tape, in pixels. */
const PITCH = 22;

/** Every moment there is, oldest first; a new node has some of its own before them. */
let moments;
let own;

const [node, browser] = await stage(start);

before(async () => {
  for (let number = 0; number < MOMENTS; number += 1) {
    const answer = await fetch(`${node.url}/api/v1/timeline/note`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ title: `moment ${number}` }),
    });
    assert.equal(answer.status, 201);
  }
  moments = (await (await fetch(`${node.url}/api/v1/timeline?limit=200`)).json()).items.reverse();
  own = moments.findIndex((it) => it.title === "moment 0");
}, { timeout: 180_000 });

/** The page with one in their middle under the needle. */
const MIDDLE = 20;
const middle = async () => {
  const page = await open(browser, node.url);
  await page.goto(`${node.url}/ui/timeline?at=${moments[own + MIDDLE].entry_id}`, { waitUntil: "load" });
  // It shows once the tape can be moved.
  await page.getByRole("slider", { name: "Moment" }).waitFor();
  const box = await page.locator(".tape").boundingBox();
  return { page, x: box.x + box.width / 2, y: box.y + box.height / 2 };
};
/** The moment so many steps from there is under the needle, shown, and what the address says. */
const shows = async (page, steps) => {
  const { title, entry_id } = moments.at(steps === -Infinity ? 0 : steps === Infinity ? -1 : own + MIDDLE + steps);
  await page.locator("#moment dl.facts", { hasText: entry_id }).first().waitFor();
  assert.ok((await page.getByRole("slider", { name: "Moment" }).getAttribute("aria-valuetext")).includes(title), title);
  assert.equal(new URL(page.url()).searchParams.get("at"), entry_id);
  assert.deepEqual(page.faults, []);
  await page.context().close();
};

test("dragging the tape to the right leads back, a moment a step", { timeout: 120_000 }, async () => {
  const { page, x, y } = await middle();
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 3 * PITCH, y, { steps: 6 });
  await page.mouse.up();
  await shows(page, -3);
});

test("a click on a moment brings it under the needle", { timeout: 120_000 }, async () => {
  const { page, x, y } = await middle();
  await page.mouse.click(x + 4 * PITCH, y);
  await shows(page, 4);
});

test("turning the wheel sideways moves the tape", { timeout: 120_000 }, async () => {
  const { page, x, y } = await middle();
  await page.mouse.move(x, y);
  await page.mouse.wheel(-5 * PITCH, 0);
  await shows(page, -5);
});

for (const [key, steps] of [["Home", -Infinity], ["End", Infinity], ["ArrowLeft", -1], ["ArrowRight", 1], ["PageUp", 10], ["Shift+ArrowLeft", -10]]) {
  test(`the key ${key} leads there`, { timeout: 120_000 }, async () => {
    const { page } = await middle();
    await page.getByRole("slider", { name: "Moment" }).focus();
    await page.keyboard.press(key);
    await shows(page, steps);
  });
}
