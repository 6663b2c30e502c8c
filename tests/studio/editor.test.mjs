// The editor in somebody's hands: a text is checked as it is typed, a fault is marked where it is and leads there, and
// keys save it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./browser.mjs";
import { start } from "./node.mjs";
import { stage } from "./stage.mjs";

const RIGHT = `id: bp.typed
name: Typed
trigger: { event_type: demo.typed }
plan:
  - { kind: transform, id: one, set: { n: 1 } }
`;
/** The same with a key that no blueprint has, on its third line. */
const WRONG = RIGHT.replace("trigger", "triger");

const [node, browser] = await stage(start);

test("what is typed is checked, and a fault is marked where it is, and leads there", { timeout: 120_000 }, async () => {
  const page = await open(browser, node.url);
  await page.goto(`${node.url}/ui/blueprints/edit`, { waitUntil: "load" });
  const [source, faults] = [page.locator("#source"), page.getByTestId("faults")];
  const marks = page.locator(".gutter mark");
  await source.fill(WRONG);
  const fault = faults.locator("[data-line='3']").first();
  await fault.waitFor();
  await marks.filter({ hasText: /^3$/ }).waitFor();
  assert.equal(await fault.getAttribute("data-column"), "1");
  await source.evaluate((field) => field.setSelectionRange(0, 0));
  await fault.click();
  assert.equal(await source.evaluate((field) => field.selectionStart), WRONG.indexOf("triger"), "the caret stands before the fault");
  assert.ok(await source.evaluate((field) => field === document.activeElement));
  // A further in: the column counts characters, not what they are made of.
  await source.fill(RIGHT.replace("name: Typed", "name: 🜚").replace("set: { n: 1 }", "seet: { n: 1 }"));
  const inner = faults.locator("[data-line='5']").first();
  await inner.waitFor();
  await inner.click();
  const [line, column] = [5, Number(await inner.getAttribute("data-column"))];
  assert.ok(column > 1);
  const caret = await source.evaluate((field) => [...field.value.slice(0, field.selectionStart).split("\n").at(-1)].length + 1);
  const row = await source.evaluate((field) => field.value.slice(0, field.selectionStart).split("\n").length);
  assert.deepEqual([row, caret], [line, column]);
  // Mended by keys, it is found to be right, and no line is marked.
  await source.fill(RIGHT);
  await faults.locator(".state.ok").waitFor();
  await marks.first().waitFor({ state: "detached" });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("Ctrl+S saves what is typed", { timeout: 120_000 }, async () => {
  const page = await open(browser, node.url);
  await page.goto(`${node.url}/ui/blueprints/edit`, { waitUntil: "load" });
  await page.locator("#source").fill(RIGHT);
  await page.keyboard.press("Control+s");
  await page.waitForURL("**draft=*");
  assert.equal(await page.locator("#source").inputValue(), RIGHT);
  const draft = new URL(page.url()).searchParams.get("draft");
  assert.equal((await (await fetch(`${node.url}/api/v1/drafts/${draft}`)).json()).content, RIGHT);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
