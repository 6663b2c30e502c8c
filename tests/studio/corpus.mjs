// Texts that break out of one place or another, and every field that takes a text, with a hand that writes it there.

import { createHmac } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "./node.mjs";

/** Each would leave an element with `data-xss` behind. */
export const CORPUS = [
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
export const MEMBER = `"><img data-xss src=x onerror=alert(1)>@studio`;

/** A sender that signs what it sends, and the node's side of it. */
const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
export const HOOK = {
  config: `[[hooks]]\nname = "ci"\nevent_name = "ci.done"\nsecrets_env = ["HOOK_SECRET"]\n`,
  variables: { HOOK_SECRET: `whsec_${KEY}` },
};

/** What sends `body` to `path` of a node: the answer when it was taken, else none. */
export const sender = (url) => async (path, body) => {
  const answer = await fetch(`${url}/api/v1/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const said = await answer.json();
  return answer.ok ? said : undefined;
};

const named = (text) => text.slice(0, 60);
const filed = (text) => text.replaceAll("/", "_").slice(0, 60);

/** Writes `text`, the one of this `number`, into every field that people of a node and its programs write; calls
 * `took(field)` for each that took it. */
export async function write(node, text, number, took) {
  const post = sender(node.url);
  const into = async (field, path, body) => {
    const said = await post(path, body);
    if (said) took(field);
    return said;
  };
  const word = JSON.stringify(text);
  const yaml = async (field, command, source) => {
    const file = join(node.home, `${field.replaceAll(" ", "-")}.yaml`);
    await writeFile(file, source);
    await node.xyn(command, command === "policy" ? "activate" : "promote", file).then(() => took(field), () => {});
  };

  const { run_id } = await into("run: inputs and labels", "runs", { blueprint: "bp.hello", inputs: { name: text }, labels: { label: named(text) } }) ?? {};
  const { entry_id } = await into("note: title", "timeline/note", { title: text.slice(0, 200) }) ?? await post("timeline/note", { title: "plain" });
  await into("event: name of a field, value, resource", "events", { event_name: "demo.hostile", data: { [text]: text }, resource: { type: "thing", id: named(text) } });
  await into("artifact: name and content", "artifacts", { name: filed(text), content: text, content_type: "text/html", ...(run_id ? { run_id } : {}), metadata: { text } });
  await into("comment", "timeline/comment", { entry_id, text });
  await into("review: what to look at", "timeline/review", { entry_id, status: "open", text });
  await into("verdict: note", "timeline/approve", { entry_id, approve: false, note: text });
  await into("label", "timeline/label", { name: named(text), entry_id });
  await into("draft: name, text and notes", "drafts", { draft_type: "blueprint", name: named(text), definition: text, notes: text });
  if (await into("branch", "timeline/branch", { name: named(text), entry_id })) {
    await post("timeline/note", { title: "on the branch", branch: named(text) });
    await into("merge: title", "timeline/merge", { from: named(text), into: "main", title: text.slice(0, 200) });
    await post("timeline/note", { title: "on the branch again", branch: named(text) });
  }
  const folder = join(node.home, `folder-${number}`);
  await mkdir(folder);
  await into("workspace: name", "workspaces", { dir: folder, name: named(text) });

  await yaml("policy", "policy", `{ policy_id: pol.p${number}, policy_type: governance, name: ${word}, owner_pou_id: ${word}, evaluation_mode: first_match, rules: [{ rule_id: r, match: { action: demo.never }, effect: deny }] }`);
  await yaml("blueprint", "blueprint", `{ id: bp.b${number}, name: ${word}, trigger: { event_type: demo.b${number} }, inputs: [{ name: x, description: ${word}, schema: { type: string }, default: ${word} }], plan: [{ kind: gate, id: ask, mode: manual, prompt: ${word} }] }`);
  const asks = async () => {
    const run = await post("runs", { blueprint: `bp.b${number}` });
    if (!run) return undefined;
    await until("the gate", async () => (await (await fetch(`${node.url}/api/v1/runs/${run.run_id}`)).json()).waiting_on);
    return run.run_id;
  };
  const [answered, cancelled] = [await asks(), await asks()];
  if (answered) await into("gate: note", "intents", { action: "gates.answer", input: { run_id: answered, step_id: "ask", approve: true, note: text } });
  if (cancelled) await into("cancel: reason", `runs/${cancelled}/cancel`, { reason: text });
  await asks();

  await files(node, text, number, into, took);
  await hook(node, text, number, took);
}

/** What a folder, its moments and its capsules say. */
async function files(node, text, number, into, took) {
  const file = join(node.home, "evil", filed(text));
  await writeFile(file, `${text}\n${text}\n`);
  const snapshot = await into("snapshot: title and names of files", "workspaces/evil/snapshot", { title: text.slice(0, 200) });
  // A name that no folder may hold on every system is refused; it would stop all that come behind it.
  if (!snapshot) await rm(file, { force: true });
  const entry_id = snapshot?.entry_id;
  if (entry_id && await sender(node.url)("timeline/review", { entry_id, status: "open" })) {
    await into("comment on a line", "timeline/comment", { entry_id, on: "review", text, place: { workspace: "evil", path: filed(text), line: 1 } });
  }
  const manifest = { id: "evil", name: text.slice(0, 120), version: `1.0.${number}` };
  const more = {
    description: text, uiSchema: { [text]: text }, designTokens: { [text]: text }, createdBy: { name: text.slice(0, 100) },
    rights: { license: "LicenseRef-evil", resaleTerms: text.slice(0, 100), [`x-${number}`]: text },
  };
  const full = await into("capsule: all that it says", "capsules", { workspace: "evil", manifest: { ...manifest, ...more } });
  if (full || await sender(node.url)("capsules", { workspace: "evil", manifest })) took("capsule: name");
}

/** A message of a sender whom the node knows. */
async function hook(node, text, number, took) {
  const body = JSON.stringify({ type: "done", text, data: { [text]: text } });
  const [id, at] = [`message-${number}`, String(Math.floor(Date.now() / 1_000))];
  const signature = createHmac("sha256", Buffer.from(KEY, "base64")).update(`${id}.${at}.${body}`).digest("base64");
  const answer = await fetch(`${node.url}/api/v1/hooks/ci`, {
    method: "POST", body,
    headers: { "Content-Type": "application/json", "webhook-id": id, "webhook-timestamp": at, "webhook-signature": `v1,${signature}` },
  });
  if (answer.ok) took("webhook");
}

/** What a member whom nobody here knows writes on its own node, and the mesh carries. */
export async function writeAfar(mate, text, took) {
  const post = sender(mate.url);
  const note = await post("timeline/note", { title: text.slice(0, 200) });
  if (note) took("afar: note");
  const { entry_id } = note ?? await post("timeline/note", { title: "plain" });
  const bodies = {
    comment: { entry_id, text }, review: { entry_id, status: "open", text }, approve: { entry_id, approve: false, note: text },
    label: { entry_id, name: `afar ${named(text)}` }, branch: { entry_id, name: `afar ${named(text)}` },
  };
  for (const [path, body] of Object.entries(bodies)) if (await post(`timeline/${path}`, body)) took(`afar: ${path}`);
}

const SERVER = `import { createServer } from "node:http";
import { readFileSync } from "node:fs";
console.log(readFileSync("says.txt", "utf8"));
createServer((_, answer) => answer.end("well")).listen(process.env.PORT, process.env.HOST);
`;

/** An app whose process says all of it; where it serves. */
export async function speak(node, took) {
  const folder = join(node.home, "speaker");
  await mkdir(folder);
  await writeFile(join(folder, "server.mjs"), SERVER);
  await writeFile(join(folder, "says.txt"), CORPUS.join("\n"));
  await writeFile(join(folder, "capsule.json"), JSON.stringify({
    id: "speaker", name: "Speaker", version: "1.0.0", app: { framework: "process", command: [process.execPath, "server.mjs"] },
  }));
  await node.xyn("workspace", "add", folder, "--name", "speaker");
  await node.xyn("capsule", "pack", "--workspace", "speaker");
  await node.xyn("capsule", "deploy", "speaker@1.0.0", "--stage", "dev");
  const { items } = await (await fetch(`${node.url}/api/v1/deployments`)).json();
  const { deployment } = items.find((it) => it.app === "speaker");
  const log = async () => (await fetch(`${node.url}/api/v1/deployments/${encodeURIComponent(deployment)}/logs`)).text();
  await until("the process to say it", async () => (await log()).includes("alert(1)"));
  took("log of a process");
  return deployment;
}
