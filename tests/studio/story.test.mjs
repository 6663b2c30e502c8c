// One story in the browser, from an event to a deployment that is taken back, and a teammate's node that sees it happen.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { open } from "./browser.mjs";
import { pair, shop } from "./fill.mjs";
import { until } from "./node.mjs";
import { stage } from "./stage.mjs";

const [both, browser] = await stage(pair);

test("emit, watch, approve, look at what was made, seal a moment, deploy, break, roll back; a teammate sees it", { timeout: 600_000 }, async () => {
  const { node, mate, read } = both;
  const page = await open(browser, node.url);
  const watcher = await open(browser, node.url);
  const far = await open(browser, mate.url);
  const go = (path) => page.goto(node.url + path);
  const press = (testid, name) => page.getByTestId(testid).getByRole("button", { name, exact: true }).first().click();
  const emit = async (name, data) => {
    await go("/ui/events");
    const form = page.getByTestId("do-events.emit");
    await form.getByLabel("Name").fill(name);
    await form.getByLabel("Data").fill(JSON.stringify(data));
    await press("do-events.emit", "Emit");
    await page.getByTestId("told").waitFor();
  };

  // An event starts a run that asks; whoever has the list open sees it come, without loading it again.
  await watcher.goto(`${node.url}/ui/runs`);
  await watcher.waitForFunction(() => document.documentElement.dataset.link === "up");
  await far.goto(`${mate.url}/ui/timeline`);
  await far.waitForFunction(() => document.documentElement.dataset.link === "up");
  await far.evaluate(() => { globalThis.wasHere = true; });
  await emit("demo.deploy_requested", { service: "shop", version: "1.4.2" });
  await watcher.locator(".state.wait", { hasText: "waiting: gate" }).first().waitFor();

  // A person approves, and the run ends.
  await go("/ui/approvals");
  await press("do-gates.answer", "Approve");
  await watcher.locator(".state.ok", { hasText: "completed" }).first().waitFor();

  // Another run makes something, and it can be looked at.
  await emit("demo.hello", { name: "ada lovelace" });
  await until("the greeting", async () => (await read("artifacts")).items.length > 0);
  await go("/ui/artifacts");
  await page.getByRole("link", { name: /hello\.txt/ }).first().click();
  await page.getByText("Hello, Ada Lovelace!").first().waitFor();

  // A folder's moments are kept; the first one is sealed although the folder went on.
  const folder = join(node.home, "shop");
  await shop(folder, "1.4.2", "<h1>The shop</h1>");
  await go("/ui/workspaces");
  await page.getByTestId("do-workspace.add").getByRole("textbox").first().fill(folder);
  await press("do-workspace.add", "Add");
  await page.getByTestId("told").waitFor();
  await go("/ui/workspaces/shop");
  await press("do-workspace.snapshot", "Take a snapshot");
  await page.getByTestId("told").waitFor();
  const opened = (await read("timeline?kind=edit&limit=1")).items[0]?.entry_id ?? (await read("timeline?limit=1")).items[0].entry_id;
  await shop(folder, "1.4.3", "<h1>Broken");
  await go("/ui/workspaces/shop");
  await press("do-workspace.snapshot", "Take a snapshot");
  await page.getByTestId("told").waitFor();
  const broken = (await read("timeline?limit=1")).items[0].entry_id;
  for (const moment of [opened, broken]) {
    await go(`/ui/timeline?at=${moment}`);
    await press("do-capsule.pack", "Create capsule");
    await page.getByTestId("told").waitFor();
  }
  const capsules = await until("two capsules", async () => {
    const { items } = await read("capsules");
    return items.length === 2 && items;
  });

  // The good one serves, the broken one takes its place, and is taken back.
  const serves = async (text) => {
    const { items } = await read("deployments");
    const { url } = items.find((it) => it.stage === "staging");
    return until(`${url} to say ${text}`, async () => (await (await fetch(url)).text()).includes(text));
  };
  for (const [version, text] of [["1.4.2", "<h1>The shop</h1>"], ["1.4.3", "<h1>Broken"]]) {
    await go(`/ui/capsules/${capsules.find((it) => it.id.endsWith(`@${version}`)).capsule}`);
    await page.getByTestId("do-capsule.deploy").getByLabel("Stage").selectOption("staging");
    await press("do-capsule.deploy", "Deploy");
    await page.getByTestId("told").waitFor();
    await serves(text);
  }
  await go("/ui/deploys");
  await page.getByTestId("deploys-list").getByRole("link", { name: "1.4.3" }).first().click();
  await page.locator("summary", { hasText: "Roll back" }).first().click();
  await press("do-capsule.rollback", "Roll back");
  await page.getByTestId("told").waitFor();
  await serves("<h1>The shop</h1>");

  // The teammate's page, which was open all the time, has seen all of it come.
  for (const kind of ["approve", "pack", "deploy", "rollback"]) {
    await far.locator(`.track a:has(.mark.${kind})`).first().waitFor({ state: "attached" });
  }
  assert.ok(await far.evaluate(() => globalThis.wasHere), "it was not loaded again");
  await far.goto(`${mate.url}/ui/capsules`);
  await far.getByText("1.4.3").first().waitFor();
  for (const it of [page, watcher, far]) {
    assert.deepEqual(it.faults, []);
    await it.context().close();
  }
});
