// The Time Machine in somebody's hands: a thousand moments pass at sixty steps a second, and the moment that stands
// shows what comes to be said of it while somebody writes.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { open } from "./browser.mjs";
import { start } from "./node.mjs";
import { stage } from "./stage.mjs";

const MOMENTS = 1_000;
/** Processor time of the page's thread for a step: a frame at sixty steps a second. It does not count how long others
 * keep the machine from it; the steps in a second, which are told beside it, do. */
const STEP_MS = 1_000 / 60;
/** Steps whose mean is one sample. */
const SAMPLE = 50;

const say = async (path, body) => {
  const answer = await fetch(`${node.url}/api/v1/timeline/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  assert.equal(answer.status, 201, path);
  return answer.json();
};

const [node, browser] = await stage(start);

before(async () => {
  for (let number = 0; number < MOMENTS; number += 40) {
    await Promise.all(Array.from({ length: 40 }, (_, index) => say("note", { title: `moment ${number + index}` })));
  }
}, { timeout: 180_000 });

test("a thousand moments pass, each in less than a frame", { timeout: 300_000 }, async () => {
  const page = await open(browser, node.url);
  await page.goto(`${node.url}/ui/timeline`, { waitUntil: "load" });
  const slider = page.getByRole("slider", { name: "Moment" });
  await slider.focus();
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  const measured = async () => Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  const samples = [];
  const rates = [];
  const parts = { ScriptDuration: 0, LayoutDuration: 0, RecalcStyleDuration: 0 };
  let steps = 0;
  // The newest moment is under the needle: the way leads back, a step a frame, until there is none before.
  while (steps < MOMENTS - SAMPLE) {
    const begun = await measured();
    const wall = await page.evaluate((count) => new Promise((resolve) => {
      const begun = performance.now();
      let left = count;
      const step = () => {
        const slider = document.querySelector(".slider");
        slider.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
        left -= 1;
        if (left > 0) requestAnimationFrame(step);
        else requestAnimationFrame(() => resolve(performance.now() - begun));
      };
      requestAnimationFrame(step);
    }), SAMPLE);
    const ended = await measured();
    samples.push((ended.TaskDuration - begun.TaskDuration) * 1_000 / SAMPLE);
    rates.push((SAMPLE + 1) * 1_000 / wall);
    for (const part of Object.keys(parts)) parts[part] += ended[part] - begun[part];
    steps += SAMPLE;
  }
  for (const list of [samples, rates]) list.sort((one, other) => one - other);
  const each = Object.entries(parts).map(([part, seconds]) => [part, Number((seconds * 1_000 / steps).toFixed(3))]);
  const median = samples[samples.length >> 1];
  console.log(JSON.stringify({ bench: "studio", figure: "scrub_cpu_ms_per_step", p50: median, max: samples.at(-1), ...Object.fromEntries(each) }));
  console.log(JSON.stringify({ bench: "studio", figure: "scrub_steps_per_second", p50: rates[rates.length >> 1], min: rates[0] }));
  assert.ok(median < STEP_MS, `a step took ${median} ms of the processor`);
  // It went where the keys led: the tape was fetched on the way, as often as it came to its end.
  const at = await page.evaluate(() => document.querySelector(".slider").getAttribute("aria-valuetext"));
  await page.waitForFunction((newest) => !document.getElementById("moment").ariaBusy && document.querySelector("#moment-title").textContent !== newest, `moment ${MOMENTS - 1}`);
  assert.ok(at.length > 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("what is said of the moment that is shown comes to it, and what is being written stays", { timeout: 120_000 }, async () => {
  const { entry_id } = await say("note", { title: "looked at" });
  const page = await open(browser, node.url);
  await page.goto(`${node.url}/ui/timeline?at=${entry_id}`, { waitUntil: "load" });
  await page.waitForFunction(() => document.documentElement.dataset.link === "up");
  const written = page.getByTestId("do-timeline.comment").getByLabel("Comment");
  await written.fill("half a sent");
  await page.locator("summary", { hasText: "Branch from here" }).click();
  await page.getByLabel("Name of the branch").fill("half a na");
  await written.focus();
  await say("comment", { entry_id, text: "somebody else says this" });
  await page.locator("#moment .said", { hasText: "somebody else says this" }).waitFor();
  await say("label", { entry_id, name: "named meanwhile" });
  await page.locator("#moment .tag.label", { hasText: "named meanwhile" }).waitFor();
  assert.equal(await written.inputValue(), "half a sent");
  assert.equal(await page.getByLabel("Name of the branch").inputValue(), "half a na");
  assert.ok(await page.getByLabel("Name of the branch").isVisible(), "what was unfolded stays unfolded");
  await page.keyboard.type("ence");
  assert.equal(await written.inputValue(), "half a sentence", "whoever writes writes on");
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
