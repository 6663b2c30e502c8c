// Something on every page: what the pages of a node that is in use show.

/** Fills `node` and answers with the path and main region of each page. */
export async function fill(node) {
  for (const name of ["ada lovelace", "grace hopper", "barbara liskov", "frances allen"]) {
    await node.xyn("event", "emit", "demo.hello", "--data", JSON.stringify({ name }));
  }
  await node.xyn("event", "emit", "demo.deploy_requested", "--data", JSON.stringify({ service: "shop", version: "1.4.2" }));
  const read = async (path) => (await fetch(`${node.url}/api/v1/${path}`)).json();
  const event = (await read("events?limit=1")).items[0].event_id;
  return {
    events: { path: "/ui/events", testid: "events-list" },
    event: { path: `/ui/events/${event}`, testid: "event" },
    runs: { path: "/ui/runs", testid: "runs-list" },
  };
}
