// Whatever a sender, a teammate or a file can write, written into each field that takes it, and then every page that can
// be reached looked at: nothing of it becomes a part of a page, and no page complains.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, open } from "./browser.mjs";
import { CORPUS, HOOK, MEMBER, speak, write, writeAfar } from "./corpus.mjs";
import { start, startWith, until } from "./node.mjs";

const LOOPBACK = ["--mesh", "on", "--mesh-listen", "/ip4/127.0.0.1/tcp/0"];

/** Fields that take all of the texts. */
const TAKES_ALL = [
  "run: inputs and labels", "event: name of a field, value, resource", "artifact: name and content", "comment",
  "review: what to look at", "draft: name, text and notes", "policy", "webhook", "afar: comment", "afar: review",
];
/** Fields of one line that take all but the one that turns the line. */
const TAKES_LINES = [
  "note: title", "verdict: note", "label", "branch", "merge: title", "afar: note", "afar: approve", "afar: label", "afar: branch",
];
/** Fields whose format refuses one of them or another. */
const TAKES_MOST = [
  "blueprint", "gate: note", "cancel: reason", "snapshot: title and names of files", "comment on a line",
  "capsule: all that it says", "capsule: name",
];

let node;
let mate;
let browser;
let deployment;
const taken = new Map();

const read = async (path) => (await fetch(`${node.url}/api/v1/${path}`)).json();

before(async () => {
  node = await startWith(HOOK, ...LOOPBACK);
  const ticket = (await node.xyn("peer", "invite", MEMBER)).trim();
  mate = await start(...LOOPBACK, "--join", ticket);
  await until("the member", async () => (await read("peers")).items.some((member) => member.principal === MEMBER));
  await mkdir(join(node.home, "evil"));
  await node.xyn("workspace", "add", join(node.home, "evil"), "--name", "evil");
  browser = await launch();
  const took = (field) => taken.set(field, (taken.get(field) ?? 0) + 1);
  for (const [number, text] of CORPUS.entries()) {
    await write(node, text, number, took);
    await writeAfar(mate, text, took);
  }
  deployment = await speak(node, took);
  const [last] = (await (await fetch(`${mate.url}/api/v1/timeline?limit=1`)).json()).items;
  await until("what was written afar", async () => (await fetch(`${node.url}/api/v1/timeline/${last.entry_id}`)).ok);
}, { timeout: 300_000 });
after(async () => {
  await browser?.close();
  await mate?.stop();
  await node?.stop();
});

test("every field took what was written into it", () => {
  for (const field of TAKES_ALL) assert.equal(taken.get(field), CORPUS.length, field);
  for (const field of TAKES_LINES) assert.equal(taken.get(field), CORPUS.length - 1, field);
  for (const field of TAKES_MOST) assert.ok(taken.get(field) >= CORPUS.length - 2, `${field}: ${taken.get(field)}`);
  assert.equal(taken.get("log of a process"), 1);
  // The name of a workspace is part of commands and addresses, and none of these.
  assert.equal(taken.get("workspace: name"), undefined);
});

/** Pages of one kind that are looked at: each of the texts may be on one of its own. */
const KIND_MAX = CORPUS.length;
/** Those of them that are opened; the others are only read, as a browser reads them. */
const OPENED_MAX = process.env.XYN_FULL ? KIND_MAX : 2;

/** Pages to look at, of each kind about as many as of any other. */
class Waiting {
  kinds = new Map();
  seen = new Set();

  add(url) {
    const path = url.pathname + url.search;
    if (this.seen.has(path)) return;
    this.seen.add(path);
    const [, part] = /[?&](?:show|view|status)=([a-z]*)/.exec(url.search) ?? [];
    const kind = [url.pathname.replaceAll(/[^/]*[\d%][^/]*/g, "*"), ...[...url.searchParams.keys()].sort(), part].join(" ");
    if (!this.kinds.has(kind)) this.kinds.set(kind, { waiting: [], looked: 0 });
    this.kinds.get(kind).waiting.push(path);
  }

  next() {
    const open = [...this.kinds.values()].filter((kind) => kind.waiting.length > 0 && kind.looked < KIND_MAX);
    const kind = open.sort((one, other) => one.looked - other.looked)[0];
    if (!kind) return undefined;
    kind.looked += 1;
    return { path: kind.waiting.shift(), isOpened: kind.looked <= OPENED_MAX };
  }
}

/** A page on which no dialog opens unseen. */
const watched = async () => {
  const page = await open(browser, node.url);
  page.on("dialog", (dialog) => {
    page.faults.push(`a dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  return page;
};
/** What is found in a document, run in the browser: what of it is somebody's, and where it leads. */
const find = `(page) => ({
  foreign: page.querySelectorAll("[data-xss]").length,
  led: ["href", "action", "formaction", "hx-get", "hx-post"].flatMap((name) => [...page.querySelectorAll("[" + name + "]")].map((it) => it.getAttribute(name))),
  links: [...page.querySelectorAll("a[href]")].map((it) => it.getAttribute("href")),
})`;
/** Opens the page at `path`: its status, and where it leads. */
const opened = async (page, path) => {
  const answer = await page.goto(node.url + path, { waitUntil: "load" });
  const found = await page.evaluate(`(${find})(document)`);
  holds(path, { ...found, policy: answer.headers()["content-security-policy"] });
  assert.deepEqual(page.faults.filter((fault) => !fault.includes(` ${answer.status()} `)), [], path);
  page.faults.length = 0;
  return { status: answer.status(), links: found.links };
};
/** The same of a page that is read and not opened. */
const scanned = async (page, path) => {
  const answer = await page.request.get(node.url + path);
  const found = await page.evaluate(`(${find})(new DOMParser().parseFromString(${JSON.stringify(await answer.text())}, "text/html"))`);
  holds(path, { ...found, policy: answer.headers()["content-security-policy"] });
  return { status: answer.status(), links: found.links };
};
const holds = (path, { foreign, led, policy }) => {
  assert.match(policy, /default-src 'none'/, path);
  assert.equal(foreign, 0, `${path} holds what somebody wrote as a part of itself`);
  for (const link of led) assert.doesNotMatch(link.trim(), /^(javascript|data|vbscript):/i, path);
};

test("no page is changed by what others wrote", { timeout: 900_000 }, async () => {
  const page = await watched();
  const waiting = new Waiting();
  const [intent] = (await read("intents?limit=1")).items;
  const branches = (await read("timeline/branches")).items.filter((it) => it.name !== "main" && !it.name.startsWith("afar"));
  assert.equal(branches.length, CORPUS.length - 1);
  // Where a form leads, and no link does.
  const forms = [
    "/ui/events", "/ui/policies/why?action=demo.never&stage=prod", `/ui/policies/why?intent=${intent.intent_id}`, "/ui/audit/proof?entry=0", "/ui/audit/proof?old_size=1",
    `/ui/deploys/${encodeURIComponent(deployment)}`, ...branches.map((it) => `/ui/reviews/merge?from=${encodeURIComponent(it.name)}`),
  ];
  for (const path of forms) waiting.add(new URL(path, node.url));
  const [nowhere, count] = [[], { opened: 0, scanned: 0 }];
  for (let it = waiting.next(); it; it = waiting.next()) {
    const { status, links } = it.isOpened ? await opened(page, it.path) : await scanned(page, it.path);
    count[it.isOpened ? "opened" : "scanned"] += 1;
    if (status !== 200) nowhere.push(`${status}: ${it.path}`);
    for (const link of links) {
      const url = new URL(link, node.url + it.path);
      if (url.origin === node.url && url.pathname.startsWith("/ui/")) waiting.add(url);
    }
  }
  console.log(JSON.stringify({ kinds: waiting.kinds.size, ...count }));
  assert.deepEqual(nowhere, [], "no link leads nowhere");
  await page.context().close();
});

test("what an address says stays a text", { timeout: 300_000 }, async () => {
  const page = await watched();
  const places = [
    "/ui/find?id=", "/ui/events?name=", "/ui/events?correlation_id=", "/ui/runs?label=", "/ui/runs/new?q=", "/ui/capsules?name=", "/ui/timeline?branch=",
    "/ui/reviews/merge?from=", "/ui/policies/why?action=", "/ui/policies/why?action=demo.never&id=", "/ui/audit?actor=", "/ui/blueprints/edit?from=", "/ui/events?done=",
  ];
  for (const [number, place] of places.entries()) {
    for (const text of [CORPUS[1], CORPUS[number % CORPUS.length]]) {
      const path = place + encodeURIComponent(text);
      const { status } = await opened(page, path);
      assert.ok(status < 500, path);
    }
  }
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
  assert.deepEqual((await read("events?event_name=demo.forged")).items, []);
});
