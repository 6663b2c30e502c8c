// What a browser makes of the pages XYN_PAGES, `{kind: path}`, of a node that runs at XYN_URL: one JSON line a figure.

import { launch, open } from "./browser.mjs";

const url = process.env.XYN_URL;
const report = (figure, value) => console.log(JSON.stringify({ figure, value: Number(value.toFixed(1)) }));

const browser = await launch();
const page = await open(browser, url);
let answers = [];
// The stream of news never finishes, and is not counted.
page.on("requestfinished", (request) => {
  const none = { responseBodySize: 0, responseHeadersSize: 0 };
  answers.push(request.sizes().catch(() => none));
});
/** The bytes of what was answered since this was asked last. */
const transferred = async () => {
  const sizes = await Promise.all(answers);
  answers = [];
  return sizes.reduce((sum, { responseBodySize, responseHeadersSize }) => sum + responseBodySize + responseHeadersSize, 0);
};
await page.goto(`${url}/ui/events`, { waitUntil: "load" });
report("studio.browser.first_page_bytes", await transferred());
let slowest = 0;
let heaviest = 0;
for (const [kind, path] of Object.entries(JSON.parse(process.env.XYN_PAGES))) {
  await page.goto(url + path, { waitUntil: "load" });
  const paint = await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  const shown = await paint.jsonValue();
  slowest = Math.max(slowest, shown);
  heaviest = Math.max(heaviest, await transferred());
  report(`studio.browser.${kind}.first_contentful_paint_ms`, shown);
}
report("studio.browser.slowest_first_contentful_paint_ms", slowest);
report("studio.browser.heaviest_next_page_bytes", heaviest);
if (page.faults.length > 0) throw new Error(page.faults.join("\n"));
await browser.close();
