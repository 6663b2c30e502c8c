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
    return { ...both, pages: await fill(both.node, both.read) };
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
