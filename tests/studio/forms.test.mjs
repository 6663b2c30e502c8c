// The main act of each page, by its form: somebody goes there, fills it in and sends it, with the mouse and with keys by
// turns, and sees what became of it.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { open, shoot } from "./browser.mjs";
import { team } from "./fill.mjs";
import { until } from "./node.mjs";
import { stage } from "./stage.mjs";

const BLUEPRINT = `id: bp.written
name: Written in a browser
trigger: { event_type: demo.written }
plan:
  - { kind: transform, id: one, set: { n: 1 } }
`;
const POLICY = `policy_id: pol.written
policy_type: governance
name: Written in a browser
evaluation_mode: first_match
rules:
  - { rule_id: never, match: { action: demo.never }, effect: deny }
`;
/** Keys are confirmed by people here, and not by the node itself. */
const BY_HAND = `policy_id: pol.by_hand
policy_type: governance
name: Keys are confirmed by people
evaluation_mode: first_match
rules:
  - { rule_id: by_hand, match: { action: peer.confirm, actor: node }, effect: deny }
`;

const [used, browser] = await stage(team);

const path = (name) => () => used.pages[name].path;
const moment = () => new URLSearchParams(used.pages.timeline.path.split("?")[1]).get("at");
const opened = () => new URLSearchParams(used.pages.timeline_diff.path.split("?")[1]).get("from");
const text = (words, within = "main") => (page) => page.locator(within).getByText(words).first();
const state = (word, within = "main") => (page) => page.locator(`${within} .state`, { hasText: word }).first();
const testid = (id) => (page) => page.getByTestId(id);

/** Rows of `[what, where, form, what is filled in, what shows]`; without a place it goes on where the last one led. */
const ACTS = [
  ["a run is started", () => "/ui/runs/new?blueprint=bp.hello", "do-runs.start", { "inputs.name:string": "grace hopper" }, state("completed", "#run")],
  ["a run is done again from a step", path("run"), "do-runs.retry", {}, text(/^Goes back to$/)],
  ["a run is forked", path("fork"), "do-runs.fork", { from_step: 0, "inputs.name:string": "somebody else" }, text(/^Goes back to$/)],
  ["a run is replayed", path("run"), "do-runs.replay", {}, testid("replay-report")],
  ["a run is cancelled", path("run_asks"), "do-runs.cancel", { reason: "not wanted any more" }, state("cancelled", "#run")],
  ["a file is uploaded", () => "/ui/artifacts", "do-artifacts.put", { file: { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("noted down") } }, text("noted down")],
  ["a draft is saved", () => "/ui/blueprints/edit", "do-drafts.save", { name: "a written one", definition: BLUEPRINT }, text(/revision 1/, ".top")],
  ["it is validated", undefined, "do-blueprints.validate", {}, text("This revision was found valid.")],
  ["it is promoted", undefined, "do-blueprints.promote", {}, text("Written in a browser", "body"), "/ui/blueprints/bp.written"],
  ["a policy is put in force", () => "/ui/policies/edit", "do-policies.activate", { source: POLICY }, text("Written in a browser", "body"), "/ui/policies/pol.written"],
  ["it says why", () => "/ui/policies", "why-form", { action: "demo.never" }, state(/den/, "[data-testid=policies-why]")],
  ["a review is commented", path("review"), "do-timeline.comment", { text: "Who closes on Sundays?" }, text("Who closes on Sundays?", "#thread")],
  ["a moment is approved", path("review"), "do-timeline.approve", { note: "well done" }, state("approved", "#thread")],
  ["a moment is rejected", path("review"), "do-timeline.approve:1", { note: "on second thoughts" }, state("rejected", "#thread")],
  ["a review is settled", path("review"), "do-timeline.review", { text: "so be it" }, state(/resolved|settled/, "#thread")],
  ["a branch is joined", path("merge"), "do-timeline.merge", { title: "evening into main" }, text("evening into main", "body"), "/ui/timeline"],
  ["a branch begins", path("timeline"), "do-timeline.branch", { name: "night" }, (page) => page.locator("[name=branch] option", { hasText: "night" }).first(), "/ui/timeline"],
  ["a moment is labelled", path("timeline"), "do-timeline.label", { name: "evening hours" }, text("evening hours", "#moment .tag.label")],
  ["a moment is pinned", path("timeline"), "do-timeline.pin", {}, text(/^pinned$/, "#moment")],
  ["a note is put on the timeline", path("timeline"), "do-timeline.note", { title: "mind the lamps" }, (page) => page.locator(".track a[aria-label*='mind the lamps']"), "/ui/timeline"],
  ["a capsule is proved again", path("capsule"), "do-capsule.verify", {}, text(/once more/, ".proof")],
  ["two capsules are compared", path("capsule"), "form[action='/ui/capsules/diff']", { from: 0 }, testid("capsules-diff")],
  ["the audit is searched", () => "/ui/audit", "form[action='/ui/audit']", { action: "capsule.deploy" }, text("capsule.deploy", "[data-testid=audit-list]:not(:has-text('workspace.snapshot'))")],
  ["an entry of the audit is proved", () => "/ui/audit", "audit-inclusion", { entry: "1" }, state(/prove|holds|in the log/, "[data-testid=audit-proof]")],
  ["the audit only grew", () => "/ui/audit", "audit-consistency", { old_size: "1" }, (page) => page.getByTestId("audit-proof").locator(".hashes code").first()],
  ["a teammate is invited", () => "/ui/mesh", "invite", { principal: "eve@studio" }, (page) => page.getByTestId("ticket").locator("svg.qr path").first()],
];

/** Fills `form` in, and sends it. */
const perform = async (page, form, fields, isByKeys) => {
  const button = form.locator("button:not([type]):not([formaction])").last();
  for (const [name, value] of Object.entries(fields)) {
    const field = form.locator(`[name="${name}"]`).first();
    await unfold(field);
    const kind = await field.evaluate((it) => it.type);
    if (kind.startsWith("select")) await field.selectOption(typeof value === "number" ? { index: value } : value);
    else if (kind === "file") await field.setInputFiles(value);
    else if (kind === "checkbox") await field.setChecked(value);
    else await field.fill(value);
  }
  await unfold(button);
  if (!isByKeys) return button.click();
  await button.focus();
  return page.keyboard.press("Enter");
};
/** Opens what `element` is folded into, from the outside in. */
const unfold = async (element) => {
  const folds = element.locator("xpath=ancestor::details[not(@open)]/summary");
  while (await folds.count() > 0) await folds.first().click();
};

/** The form of a test id or a selector; `:1` is the second of its kind. */
const formOf = (page, said) => {
  const [id, index = 0] = said.startsWith("form") ? [said] : said.split(":");
  return page.locator(id.startsWith("form") ? id : `[data-testid="${id}"]`).nth(Number(index));
};

test("the main act of each page works, and is seen", { timeout: 600_000 }, async (story) => {
  const page = await open(browser, used.node.url);
  for (const [index, [what, where, form, fields, shows, then]] of ACTS.entries()) {
    await story.test(what, { timeout: 60_000 }, async () => {
      if (where) await page.goto(used.node.url + where(), { waitUntil: "load" });
      const before = page.url();
      await perform(page, formOf(page, form), fields, index % 2 === 1);
      // What is asked leads to a page of its own; what is done is told, and shows.
      if (form.startsWith("do-")) await page.getByTestId("told").waitFor();
      else await page.waitForURL((url) => url.href !== before || form === "invite");
      if (then) await page.goto(used.node.url + then, { waitUntil: "load" });
      await shows(page).waitFor({ state: "attached" });
      await shoot(page, `act-${what.replaceAll(" ", "-")}`);
      assert.deepEqual(page.faults, []);
    });
  }
  await page.context().close();
});

test("a folder goes back to a moment, and says so", { timeout: 120_000 }, async () => {
  const page = await open(browser, used.node.url);
  const file = join(used.node.home, "shop", "index.html");
  assert.match(await readFile(file, "utf8"), /nine to nine/);
  await page.goto(used.node.url + used.pages.workspace.path);
  await perform(page, page.getByTestId("do-workspace.restore"), { entry_id: opened(), force: true }, false);
  await page.getByTestId("told").waitFor();
  assert.match(await readFile(file, "utf8"), /nine to five/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("a member's new key is confirmed, and a member is revoked", { timeout: 180_000 }, async () => {
  const page = await open(browser, used.node.url);
  const { node: old } = (await used.read("peers")).items.find((peer) => !peer.is_self);
  const policy = join(used.node.home, "by_hand.yaml");
  await writeFile(policy, BY_HAND);
  await used.node.xyn("policy", "activate", policy);
  await used.mate.xyn("peer", "rotate", "--no-wait");
  // The wish travels; the node, which may not, says no to it when it comes.
  await until("the wish for a new key", async () => (await used.read("intents?action=peer.confirm&status=denied")).items.length > 0);
  await page.goto(`${used.node.url}/ui/mesh/${old}`);
  await perform(page, page.getByTestId("do-peer.confirm"), {}, true);
  await page.getByTestId("told").waitFor();
  const fresh = await until("the member by its new key", async () => {
    const { items } = await used.read("peers");
    return items.find((peer) => !peer.is_self && peer.node !== old)?.node;
  });
  await page.goto(`${used.node.url}/ui/mesh/${fresh}`);
  await perform(page, page.getByTestId("do-peer.revoke"), { reason: "left the studio" }, false);
  await page.getByTestId("told").waitFor();
  await state(/^revoked$/)(page).waitFor();
  assert.equal(await page.getByTestId("do-peer.revoke").count(), 0, "who is revoked is not revoked again");
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
