// Something on every page: what the pages of a node that is in use show.

import { start, until } from "./node.mjs";

const LOOPBACK = ["--mesh", "on", "--mesh-listen", "/ip4/127.0.0.1/tcp/0"];

/** Two nodes of one environment that are in use; `pages` has the path and main region of each page. */
export async function team() {
  const node = await start(...LOOPBACK);
  const read = async (path) => (await fetch(`${node.url}/api/v1/${path}`)).json();
  await until("the mesh to listen", async () => (await read("mesh")).listening.length > 0);
  const ticket = (await node.xyn("peer", "invite", "bob@studio")).trim();
  const mate = await start(...LOOPBACK, "--join", ticket);
  await until("the teammate to be connected", async () => (await read("mesh")).peers_connected > 0);
  const pages = await fill(node, read);
  return { node, mate, pages, stop: () => Promise.all([node.stop(), mate.stop()]) };
}

async function fill(node, read) {
  for (const name of ["ada lovelace", "grace hopper", "barbara liskov", "frances allen"]) {
    await node.xyn("event", "emit", "demo.hello", "--data", JSON.stringify({ name }));
  }
  await node.xyn("event", "emit", "demo.deploy_requested", "--data", JSON.stringify({ service: "shop", version: "1.4.2" }));
  const event = (await read("events?limit=1")).items[0].event_id;
  const member = (await read("peers")).items.find((peer) => !peer.is_self).node;
  return {
    events: { path: "/ui/events", testid: "events-list" },
    event: { path: `/ui/events/${event}`, testid: "event" },
    runs: { path: "/ui/runs", testid: "runs-list" },
    mesh: { path: "/ui/mesh", testid: "mesh-status" },
    member: { path: `/ui/mesh/${member}`, testid: "member" },
    health: { path: "/ui/health", testid: "health-status" },
    settings: { path: "/ui/settings", testid: "settings" },
  };
}
