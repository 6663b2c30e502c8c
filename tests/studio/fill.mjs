// Something on every page: what the pages of a node that is in use show.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { start, until } from "./node.mjs";

const LOOPBACK = ["--mesh", "on", "--mesh-listen", "/ip4/127.0.0.1/tcp/0"];

/** Two nodes of one environment. */
export async function pair() {
  const node = await start(...LOOPBACK);
  const read = async (path) => (await fetch(`${node.url}/api/v1/${path}`)).json();
  await until("the mesh to listen", async () => (await read("mesh")).listening.length > 0);
  const ticket = (await node.xyn("peer", "invite", "bob@studio")).trim();
  const mate = await start(...LOOPBACK, "--join", ticket);
  await until("the teammate to be connected", async () => (await read("mesh")).peers_connected > 0);
  return { node, mate, read, stop: () => Promise.all([node.stop(), mate.stop()]) };
}

/** The same in use; `pages` has the path and main region of each page. */
export async function team() {
  const both = await pair();
  try {
    const pages = await fill(both.node, both.read);
    return { ...both, pages: { ...pages, ...await within(both, pages) } };
  } catch (error) {
    await both.stop();
    throw error;
  }
}

/** A folder with a small shop in it, as `version` says it is. */
export async function shop(folder, version, page) {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "index.html"), page);
  await writeFile(join(folder, "capsule.json"), JSON.stringify({ id: "shop", name: "The shop", version }));
}

async function fill(node, read) {
  for (const name of ["ada lovelace", "grace hopper", "barbara liskov", "frances allen"]) {
    await node.xyn("event", "emit", "demo.hello", "--data", JSON.stringify({ name }));
  }
  const wanted = JSON.stringify({ service: "shop", version: "1.4.2" });
  await node.xyn("event", "emit", "demo.deploy_requested", "--data", wanted);

  const folder = join(node.home, "shop");
  await shop(folder, "1.4.2", "<h1>The shop</h1>\n<p>Open from nine to five.</p>\n");
  await node.xyn("workspace", "add", folder, "--name", "shop");
  const opened = (await node.xyn("workspace", "snapshot", "shop", "-m", "the shop opens")).trim();
  await node.xyn("timeline", "branch", "evening", "--at", opened);
  await shop(folder, "1.4.3", "<h1>The shop</h1>\n<p>Open from nine to nine.</p>\n<p>Closed on Sundays.</p>\n");
  const later = (await node.xyn("workspace", "snapshot", "shop", "-m", "open in the evening", "--branch", "evening")).trim();
  await node.xyn("timeline", "label", "opening", opened);
  await node.xyn("timeline", "comment", later, "Sundays too?");
  await node.xyn("timeline", "review", later, "--open", "Can this go out?");
  await node.xyn("capsule", "pack", "--at", opened);
  await node.xyn("capsule", "pack", "--workspace", "shop");
  await node.xyn("capsule", "deploy", "shop@1.4.2", "--stage", "dev");
  await node.xyn("capsule", "deploy", "shop@1.4.2", "--stage", "staging");
  await node.xyn("capsule", "deploy", "shop@1.4.3", "--stage", "staging");

  await until("the runs to end", async () => (await read("runs?status=completed")).items.length >= 4);
  const newest = async (path, name) => (await read(`${path}${path.includes("?") ? "&" : "?"}limit=1`)).items[0][name];
  const event = await newest("events", "event_id");
  const member = (await read("peers")).items.find((peer) => !peer.is_self).node;
  const run = await newest("runs?status=completed", "run_id");
  const asking = await newest("runs?status=running", "run_id");
  const artifact = await newest("artifacts", "artifact_id");
  const capsule = (await read("capsules")).items.find((it) => it.id.endsWith("@1.4.3")).capsule;
  const deployment = await newest("deployments", "deployment");
  return {
    events: { path: "/ui/events", testid: "events-list" },
    event: { path: `/ui/events/${event}`, testid: "events-detail" },
    runs: { path: "/ui/runs", testid: "runs-list" },
    run: { path: `/ui/runs/${run}`, testid: "runs-detail" },
    run_asks: { path: `/ui/runs/${asking}`, testid: "runs-detail" },
    launcher: { path: "/ui/runs/new?blueprint=bp.hello", testid: "runs-new" },
    artifacts: { path: "/ui/artifacts", testid: "artifacts-list" },
    artifact: { path: `/ui/artifacts/${artifact}`, testid: "artifacts-detail" },
    approvals: { path: "/ui/approvals", testid: "approvals-list" },
    timeline: { path: `/ui/timeline?at=${later}`, testid: "timeline-detail" },
    timeline_diff: { path: `/ui/timeline/diff?from=${opened}&to=${later}`, testid: "timeline-diff" },
    workspaces: { path: "/ui/workspaces", testid: "workspaces-list" },
    workspace: { path: "/ui/workspaces/shop", testid: "workspaces-detail" },
    reviews: { path: "/ui/reviews", testid: "reviews-list" },
    review: { path: `/ui/reviews/${later}`, testid: "reviews-detail" },
    capsules: { path: "/ui/capsules", testid: "capsules-list" },
    capsule: { path: `/ui/capsules/${capsule}`, testid: "capsules-detail" },
    deploys: { path: "/ui/deploys", testid: "deploys-list" },
    deploy: { path: `/ui/deploys/${encodeURIComponent(deployment)}`, testid: "deploys-detail" },
    blueprints: { path: "/ui/blueprints", testid: "blueprints-list" },
    blueprint: { path: "/ui/blueprints/bp.hello", testid: "blueprints-detail" },
    editor: { path: "/ui/blueprints/edit?from=bp.hello", testid: "blueprints-edit" },
    policies: { path: "/ui/policies", testid: "policies-list" },
    audit: { path: "/ui/audit", testid: "audit-chain" },
    mesh: { path: "/ui/mesh", testid: "mesh-status" },
    member: { path: `/ui/mesh/${member}`, testid: "member" },
    health: { path: "/ui/health", testid: "health-status" },
    settings: { path: "/ui/settings", testid: "settings" },
  };
}

const FAREWELL = `
id: bp.farewell
name: Farewell
trigger: { event_type: demo.farewell }
plan:
  - { kind: transform, id: part, set: { word: goodbye } }
`;
/** Production is open for what people ship; everybody is told what will happen first. */
const PRODUCTION = `
policy_id: pol.prod
policy_type: governance
name: Production
evaluation_mode: first_match
rules:
  - { rule_id: ship, match: { action: "capsule.*", stage: prod }, effect: allow }
`;

/** What the pages lead to: a part, a tab, a difference, a form's answer. */
async function within({ node, mate, read }, pages) {
  const post = async (path, body) => (await fetch(`${node.url}/api/v1/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  })).json();
  const file = join(node.home, "within.yaml");
  for (const text of [FAREWELL, FAREWELL.replace("goodbye", "so long")]) {
    await writeFile(file, text);
    await node.xyn("blueprint", "promote", file);
  }
  await writeFile(file, PRODUCTION);
  await node.xyn("policy", "activate", file);
  await post("drafts", { draft_type: "blueprint", name: "a better farewell", definition: FAREWELL });

  const run = pages.run.path;
  const [step] = (await read(`runs/${run.split("/").at(-1)}/steps`)).items;
  const [intent] = (await read("intents?limit=1")).items;
  const later = new URLSearchParams(pages.timeline.path.split("?")[1]).get("at");
  const capsule = pages.capsule.path;
  const [digest, before] = [capsule.split("/").at(-1), (await read("capsules")).items.find((it) => it.id.endsWith("@1.4.2")).capsule];
  await until("the teammate to know of the capsule", async () => (await fetch(mate.url + capsule)).status === 200);
  return {
    step: { path: `${run}/steps/${step.name}`, testid: "step-detail" },
    run_data: { path: `${run}/data`, testid: "run-data" },
    fork: { path: `${run}/fork`, testid: "runs-new" },
    drafts: { path: "/ui/blueprints?show=drafts", testid: "blueprints-list" },
    version_diff: { path: "/ui/blueprints/bp.farewell?version=2&against=1", testid: "lines" },
    policy: { path: "/ui/policies/pol.prod", testid: "policies-detail" },
    policy_editor: { path: "/ui/policies/edit?from=pol.prod", testid: "policies-edit" },
    why: { path: "/ui/policies/why?action=capsule.deploy&stage=prod", testid: "policies-why" },
    intent: { path: `/ui/audit/intents/${intent.intent_id}`, testid: "audit-intent" },
    proof: { path: "/ui/audit/proof?entry=0", testid: "audit-proof" },
    excluded: { path: "/ui/timeline/excluded", testid: "timeline-excluded" },
    files: { path: `/ui/timeline/files?at=${later}&workspace=shop`, testid: "timeline-files" },
    file: { path: `/ui/timeline/files?at=${later}&workspace=shop&path=index.html`, testid: "timeline-files" },
    merge: { path: "/ui/reviews/merge?from=evening", testid: "reviews-merge" },
    review_file: { path: `${pages.review.path}?workspace=shop&path=index.html`, testid: "lines" },
    capsule_provenance: { path: `${capsule}?show=provenance`, testid: "capsules-detail" },
    capsule_packages: { path: `${capsule}?show=packages`, testid: "capsules-detail" },
    capsule_files: { path: `${capsule}?show=files`, testid: "capsules-detail" },
    capsule_manifest: { path: `${capsule}?show=manifest`, testid: "capsules-detail" },
    capsule_diff: { path: `/ui/capsules/diff?from=${before}&to=${digest}&path=index.html`, testid: "capsules-diff" },
    capsule_elsewhere: { path: capsule, testid: "capsules-detail", url: mate.url },
    fault: { path: "/ui/nothing", testid: "fault", status: 404 },
  };
}
