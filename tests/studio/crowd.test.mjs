// A node with more of everything than a page holds: no page grows with what there is, in nodes, bytes or width, and
// the lines of a review are spoken of where they stand.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { accessible, bounded, open, shoot, LIMITS } from "./browser.mjs";
import { start, until } from "./node.mjs";
import { stage } from "./stage.mjs";

/** How much there is of each: more than a page has rows, and than a part of a file has lines. */
const RUNS = 65;
const MOMENTS = 210;
const CAPSULES = 62;
const ITEMS = 100;
const LINES = 3_000;
const COMMENTS = 70;

const CROWD = `
id: bp.crowd
name: For each of a hundred
trigger: { event_type: demo.crowd }
plan:
  - kind: action_task
    id: keep
    foreach: "{{ range(${ITEMS}) }}"
    max_parallel: 20
    action: artifacts.put
    with: { name: "item-{{ item }}.txt", content: "{{ item }}" }
`;
const SMALL = `
id: bp.small
name: Small
trigger: { event_type: demo.small }
plan:
  - { kind: transform, id: one, set: { n: 1 } }
`;

let pages;
let review;

const read = async (path) => (await fetch(`${node.url}/api/v1/${path}`)).json();
const post = async (path, body) => {
  const answer = await fetch(`${node.url}/api/v1/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const said = await answer.json();
  assert.ok(answer.ok, `${path}: ${JSON.stringify(said)}`);
  return said;
};
/** Does something `count` times, some at once. */
const many = async (count, act) => {
  const numbers = Array.from({ length: count }, (_, number) => number);
  while (numbers.length > 0) await Promise.all(numbers.splice(0, 20).map(act));
};

const [node, browser] = await stage(start);

before(async () => {
  for (const [name, text] of [["crowd", CROWD], ["small", SMALL]]) {
    await writeFile(join(node.home, `${name}.yaml`), text);
    await node.xyn("blueprint", "promote", join(node.home, `${name}.yaml`));
  }
  const { run_id: crowd } = await post("runs", { blueprint: "bp.crowd" });
  const folder = join(node.home, "long");
  await mkdir(folder);
  await node.xyn("workspace", "add", folder, "--name", "long");
  const moments = [];
  for (const word of ["before", "after"]) {
    const lines = Array.from({ length: LINES }, (_, number) => `${word} line ${number} of a file that is longer than a page`);
    await writeFile(join(folder, "long.txt"), lines.join("\n"));
    await writeFile(join(folder, "index.html"), `<h1>${word}</h1>\n`);
    await writeFile(join(folder, "capsule.json"), JSON.stringify({ id: "long", name: "Long", version: word === "before" ? "1.0.0" : "2.0.0" }));
    moments.push((await node.xyn("workspace", "snapshot", "long", "-m", word)).trim());
  }
  review = moments[1];
  await post("timeline/review", { entry_id: review, status: "open", text: "Is this all right?" });
  const capsules = [];
  for (const entry_id of moments) capsules.push((await post("capsules", { entry_id, workspace: "long" })).capsule);
  await Promise.all([
    many(RUNS, () => post("runs", { blueprint: "bp.small" })),
    many(MOMENTS, (number) => post("timeline/note", { title: `note ${number}` })),
    many(CAPSULES, (number) => post("capsules", { entry_id: moments[1], workspace: "long", manifest: { id: "many", name: "Many", version: `1.0.${number}` } })),
    many(COMMENTS, (number) => post("timeline/comment", {
      entry_id: review, on: "review", text: `what of ${number}?`, place: { workspace: "long", path: "long.txt", side: number % 2 ? "before" : "after", line: 1 + number % 40 },
    })),
  ]);
  await until("the crowd to end", async () => (await read(`runs/${crowd}`)).status === "completed");
  await until("the runs to end", async () => (await read("runs?status=running")).items.length === 0);
  const file = "workspace=long&path=long.txt";
  const newest = (await read("timeline?limit=1")).items[0].entry_id;
  pages = {
    events: "/ui/events",
    runs: "/ui/runs",
    run: `/ui/runs/${crowd}`,
    step: `/ui/runs/${crowd}/steps/keep`,
    artifacts: "/ui/artifacts",
    artifacts_of_run: `/ui/artifacts?run_id=${crowd}`,
    timeline: `/ui/timeline?at=${newest}`,
    timeline_in_the_middle: `/ui/timeline?at=${review}`,
    timeline_diff: `/ui/timeline/diff?from=${moments[0]}&to=${review}&${file}`,
    review: `/ui/reviews/${review}?${file}`,
    review_unified: `/ui/reviews/${review}?${file}&view=unified&side=before&line=7`,
    capsules: "/ui/capsules",
    capsule: `/ui/capsules/${capsules[1]}`,
    capsule_diff: `/ui/capsules/diff?from=${capsules[0]}&to=${capsules[1]}`,
    capsule_diff_lines: `/ui/capsules/diff?from=${capsules[0]}&to=${capsules[1]}&path=long.txt`,
    capsule_diff_split: `/ui/capsules/diff?from=${capsules[0]}&to=${capsules[1]}&path=long.txt&view=split`,
    workspace: "/ui/workspaces/long",
    audit: "/ui/audit",
  };
}, { timeout: 300_000 });

test("no page grows with what there is", { timeout: 300_000 }, async () => {
  const narrow = await open(browser, node.url, { size: "narrow" });
  const desk = await open(browser, node.url, { theme: "light" });
  for (const [name, path] of Object.entries(pages)) {
    const answer = await desk.goto(node.url + path, { waitUntil: "load" });
    assert.equal(answer.status(), 200, name);
    const bytes = (await answer.body()).length;
    assert.ok(bytes < LIMITS.firstBytes, `${name}: ${bytes} bytes`);
    await bounded(desk, name);
    await shoot(desk, `crowd-${name}`);
    await narrow.goto(node.url + path, { waitUntil: "load" });
    await bounded(narrow, `${name}, narrow`);
    assert.deepEqual([...desk.faults, ...narrow.faults], [], name);
  }
  await desk.context().close();
  await narrow.context().close();
});

for (const javaScriptEnabled of [true, false]) {
  test(`a line of a review is spoken of where it stands, ${javaScriptEnabled ? "with" : "without"} JavaScript`, { timeout: 120_000 }, async () => {
    const page = await open(browser, node.url, { javaScriptEnabled });
    const words = `nine lives, ${javaScriptEnabled}`;
    // One under the other, the first lines of the file are those that went.
    for (const [view, side, label] of [["split", "after", "Comment on line 60 as it is after"], ["unified", "before", "Comment on line 60 as it was before"]]) {
      await page.goto(`${node.url}/ui/reviews/${review}?workspace=long&path=long.txt&view=${view}`);
      const number = page.getByTestId("lines").getByRole("link", { name: "Comment on 60", exact: true }).last();
      // As whoever goes by keys does it.
      await number.focus();
      await number.press("Enter");
      const form = page.getByTestId("lines").getByTestId("do-timeline.comment");
      if (javaScriptEnabled && view === "split") {
        await accessible(page, "a review with a comment that is begun");
        await form.getByText("Copy as curl or CLI").click();
        await form.locator("[data-copy=cli]", { hasText: /--file long\.txt:60 --workspace long$/ }).waitFor();
      }
      await form.getByLabel(label).fill(`${words}, ${view}`);
      await form.getByRole("button", { name: "Comment", exact: true }).click();
      await page.getByTestId("told").waitFor();
      const below = page.locator(`#${side}-60`);
      await below.getByText(`${words}, ${view}`).waitFor();
      const above = await below.locator("xpath=preceding-sibling::tr[not(contains(@class, 'below'))][1]").textContent();
      assert.ok(above.includes(`${side} line 59 of a file`), `it stands below its line: ${above}`);
      await shoot(page, `review-line-${view}-${javaScriptEnabled}`);
    }
    const { comments } = await read(`timeline/${review}/review`);
    assert.deepEqual(comments.find((it) => it.text === `${words}, split`).place, { workspace: "long", path: "long.txt", side: "after", line: 60 });
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

test("a capsule is taken in as a file, and one that is no good is refused in words", { timeout: 120_000 }, async () => {
  const [{ capsule }] = (await read("capsules?limit=1")).items;
  const file = Buffer.from(await (await fetch(`${node.url}/api/v1/capsules/${capsule}/download`)).arrayBuffer());
  const page = await open(browser, node.url);
  const take = async (buffer) => {
    await page.goto(`${node.url}/ui/capsules`);
    const form = page.getByTestId("do-capsule.import");
    await form.getByLabel("Capsule").setInputFiles({ name: "a.caps", mimeType: "application/octet-stream", buffer });
    await form.getByRole("button", { name: "Take it in" }).click();
  };
  await take(file);
  await page.getByTestId("told").waitFor();
  assert.match(page.url(), new RegExp(`/ui/capsules/${capsule}`));
  assert.deepEqual(page.faults, []);
  await take(file.subarray(0, file.length - 1));
  await page.getByText(/ends in the middle|broke off|cut|too short|ends/).first().waitFor();
  await shoot(page, "capsule-refused");
  await page.context().close();
});

test("production asks before it goes back, restates what will happen, and does it when it is meant", { timeout: 120_000 }, async () => {
  const policy = "policy_id: pol.prod\npolicy_type: governance\nname: Production\nevaluation_mode: first_match\nrules:\n  - { rule_id: ship, match: { action: \"capsule.*\", stage: prod }, effect: allow }\n";
  await writeFile(join(node.home, "prod.yaml"), policy);
  await node.xyn("policy", "activate", join(node.home, "prod.yaml"));
  const page = await open(browser, node.url);
  const serving = async () => (await read("deployments")).items.find((it) => it.stage === "prod" && it.app === "long");
  for (const version of ["1.0.0", "2.0.0"]) {
    await page.goto(`${node.url}/ui/capsules/long@${version}`);
    const form = page.getByTestId("do-capsule.deploy");
    await form.getByLabel("Stage").selectOption("prod");
    await form.getByRole("button", { name: "Deploy", exact: true }).click();
    await page.getByTestId("confirm").getByRole("button", { name: `Deploy long ${version} to prod` }).click();
    await page.getByTestId("told").waitFor();
  }
  const { deployment } = await serving();
  await page.goto(`${node.url}/ui/deploys/${encodeURIComponent(deployment)}`);
  await page.locator("summary", { hasText: "Roll back" }).first().click();
  const back = page.getByTestId("do-capsule.rollback").getByRole("button", { name: "Roll back", exact: true }).first();
  await back.click();
  const asks = page.getByTestId("confirm");
  await asks.getByText("Roll back to long 1.0.0 in prod").first().waitFor();
  await asks.getByText("long 2.0.0").first().waitFor();
  await accessible(page, "the confirmation of a rollback");
  await shoot(page, "rollback-confirm");
  assert.match(JSON.stringify(await serving()), /2\.0\.0/, "asking changes nothing");
  await asks.getByRole("button", { name: "Roll back to long 1.0.0 in prod" }).click();
  await page.getByTestId("told").waitFor();
  await until("the version before", async () => JSON.stringify((await serving()).current ?? await serving()).includes("1.0.0"));
  await page.goto(`${node.url}/ui/deploys/${encodeURIComponent(deployment)}`);
  await page.getByText("1.0.0").first().waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
