// Whatever a sender, a teammate or a file can write, written into each field that takes it, and then every page that can
// be reached looked at: nothing of it becomes a part of a page, and no page complains.

import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, open } from "./browser.mjs";
import { start, until } from "./node.mjs";

/** Texts that break out of one place or another; each would leave an element with `data-xss` behind. */
const CORPUS = [
  `<img data-xss src=x onerror=alert(1)>`,
  `"><b data-xss>b</b>`,
  `'><b data-xss>b</b>`,
  `</title><b data-xss>b</b>`,
  `</textarea><b data-xss>b</b>`,
  `</script><script data-xss>alert(1)</script>`,
  `<svg data-xss onload=alert(1)>`,
  `javascript:alert(1)`,
  `" hx-get="/ui/live" hx-trigger="load" data-xss="`,
  `{{ 7 * 7 }}{% raw %}<b data-xss>`,
  `&lt;b data-xss&gt;`,
  `\u202Ereversed\u2066 <b data-xss>`,
  `-->]]><b data-xss>`,
  "`${alert(1)}`<b data-xss>",
];

/** A member who is called so: a person's name holds an @ and no colon. */
const MEMBER = `"><img data-xss src=x onerror=alert(1)>@studio`;

let node;
let mate;
let browser;

const post = async (path, body) => {
  const answer = await fetch(`${node.url}/api/v1/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
};

/** What a capsule, its files, a policy and a blueprint say; answers how many of them were taken. */
const documents = async (text, number) => {
  const word = JSON.stringify(text);
  const policy = `{ policy_id: pol.p${number}, policy_type: governance, name: ${word}, owner_pou_id: ${word}, evaluation_mode: first_match, rules: [{ rule_id: r, match: { action: demo.never }, effect: deny }] }`;
  const blueprint = `{ id: bp.b${number}, name: ${word}, trigger: { event_type: demo.b${number} }, inputs: [{ name: x, description: ${word}, schema: { type: string }, default: ${word} }], plan: [{ kind: gate, id: ask, mode: manual, prompt: ${word} }] }`;
  const file = join(node.home, "evil", text.replaceAll("/", "_").slice(0, 60));
  await writeFile(file, `${text}\n${text}\n`).catch(() => {});
  const { entry_id } = (await post("workspaces/evil/snapshot", { title: text.slice(0, 200) })).body;
  // A name that no folder may hold on every system is refused; it would stop all that come behind it.
  if (!entry_id) await rm(file, { force: true });
  const manifest = {
    id: "evil", name: text.slice(0, 120), version: `1.0.${number}`, description: text, uiSchema: { [text]: text }, designTokens: { [text]: text },
    createdBy: { name: text.slice(0, 100) }, rights: { license: "LicenseRef-evil", resaleTerms: text.slice(0, 100), [`x-${number}`]: text },
  };
  const place = { workspace: "evil", path: text.replaceAll("/", "_").slice(0, 60), line: 1 };
  await writeFile(join(node.home, "policy.yaml"), policy);
  await writeFile(join(node.home, "blueprint.yaml"), blueprint);
  const said = await Promise.all([
    post("capsules", { workspace: "evil", manifest }).then(async (answer) => answer.status < 300 ? answer
      : post("capsules", { workspace: "evil", manifest: { id: "evil", name: text.slice(0, 120), version: `1.0.${number}` } })),
    entry_id ? post("timeline/review", { entry_id, status: "open" }).then(() => post("timeline/comment", { entry_id, on: "review", text, place })) : { status: 400 },
    node.xyn("policy", "activate", join(node.home, "policy.yaml")).then(() => ({ status: 200 }), () => ({ status: 400 })),
    node.xyn("blueprint", "promote", join(node.home, "blueprint.yaml"))
      .then(() => post("runs", { blueprint: `bp.b${number}` })).catch(() => ({ status: 400 })),
  ]);
  return said.map((answer) => answer.status < 300);
};

before(async () => {
  node = await start("--mesh", "on", "--mesh-listen", "/ip4/127.0.0.1/tcp/0");
  const ticket = (await node.xyn("peer", "invite", MEMBER)).trim();
  mate = await start("--mesh", "on", "--mesh-listen", "/ip4/127.0.0.1/tcp/0", "--join", ticket);
  const members = async () => (await (await fetch(`${node.url}/api/v1/peers`)).json()).items;
  await until("the member", async () => (await members()).some((member) => member.principal === MEMBER));
  await mkdir(join(node.home, "evil"));
  await node.xyn("workspace", "add", join(node.home, "evil"), "--name", "evil");
  browser = await launch();
  let taken = 0;
  const written = [0, 0, 0, 0];
  for (const [number, text] of CORPUS.entries()) {
    (await documents(text, number)).forEach((is_taken, index) => { written[index] += is_taken ? 1 : 0; });
    const run = await post("runs", { blueprint: "bp.hello", inputs: { name: text }, labels: { label: text.slice(0, 60) } });
    const run_id = run.body.run_id;
    const moment = await post("timeline/note", { title: text.slice(0, 200) });
    const entry_id = moment.body.entry_id ?? (await (await fetch(`${node.url}/api/v1/timeline?limit=1`)).json()).items[0].entry_id;
    const said = await Promise.all([
      post("events", { event_name: "demo.hostile", data: { [text]: text }, resource: { type: "thing", id: text.slice(0, 60) } }),
      post("artifacts", { name: text.replaceAll("/", "_").slice(0, 100), content: text, content_type: "text/html", ...(run_id ? { run_id } : {}), metadata: { text } }),
      post("timeline/comment", { entry_id, text }),
      post("timeline/review", { entry_id, status: "open", text }),
      post("timeline/label", { name: text.slice(0, 60), entry_id }),
      post("timeline/branch", { name: text.slice(0, 60), entry_id }),
      post("drafts", { draft_type: "blueprint", name: text.slice(0, 60), definition: text, notes: text }),
      post(`runs/${run_id}/cancel`, { reason: text }),
    ]);
    taken += said.filter((answer) => answer.status < 300).length;
  }
  assert.ok(taken >= 4 * CORPUS.length, `only ${taken} fields took what was written`);
  // Capsules, comments on lines, policies and blueprints: what a format refuses is refused for a few texts only.
  assert.ok(written.every((count) => count >= CORPUS.length / 2), `capsules, comments, policies, blueprints: ${written}`);
}, { timeout: 180_000 });
after(async () => {
  await browser?.close();
  await mate?.stop();
  await node?.stop();
});

/** Pages that are looked at. */
const PAGES_MAX = process.env.XYN_FULL ? 1_000 : 150;
/** Pages of one kind: after the first few of them, one is like the other. */
const KIND_MAX = 8;

test("no page is changed by what others wrote", { timeout: 900_000 }, async () => {
  const page = await open(browser, node.url);
  page.on("dialog", (dialog) => {
    page.faults.push(`a dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  const waiting = ["/ui/events"];
  const kinds = new Map();
  const seen = new Set(waiting);
  let looked = 0;
  while (waiting.length > 0 && looked < PAGES_MAX) {
    const path = waiting.shift();
    const answer = await page.goto(node.url + path, { waitUntil: "load" });
    looked += 1;
    assert.equal(answer.status(), 200, path);
    assert.match(answer.headers()["content-security-policy"], /default-src 'none'/, path);
    assert.equal(await page.locator("[data-xss]").count(), 0, `${path} holds what somebody wrote as a part of itself`);
    assert.deepEqual(page.faults, [], path);
    const links = await page.evaluate(() => [...document.querySelectorAll("a[href]")].map((link) => new URL(link.getAttribute("href"), location).href));
    for (const link of links) {
      assert.doesNotMatch(link, /^(javascript|data|vbscript):/i, path);
      const url = new URL(link);
      if (url.origin !== node.url || !url.pathname.startsWith("/ui/") || seen.has(url.pathname + url.search)) continue;
      seen.add(url.pathname + url.search);
      const kind = url.pathname.replaceAll(/[^/]*\d[^/]*/g, "*");
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      if (kinds.get(kind) <= KIND_MAX) waiting.push(url.pathname + url.search);
    }
  }
  console.log(`looked at ${looked} pages of ${kinds.size} kinds`);
  await page.context().close();
});

test("a form sent by a foreign page does nothing", async () => {
  for (const headers of [{ Origin: "http://evil.example" }, { "Sec-Fetch-Site": "cross-site" }, { Origin: "null" }]) {
    const answer = await fetch(`${node.url}/ui/do/events.emit`, {
      method: "POST", redirect: "manual", body: "event_name=demo.forged",
      headers: { "Content-Type": "application/x-www-form-urlencoded", ...headers },
    });
    assert.equal(answer.status, 403, JSON.stringify(headers));
  }
  const events = await (await fetch(`${node.url}/api/v1/events?event_name=demo.forged`)).json();
  assert.deepEqual(events.items, []);
});
