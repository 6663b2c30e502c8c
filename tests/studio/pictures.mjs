// The pictures of the README, made from what the tests show: `XYN_BIN=… node pictures.mjs`.

import { mkdir } from "node:fs/promises";
import { launch, open } from "./browser.mjs";
import { team } from "./fill.mjs";

const WANTED = ["timeline", "events", "run", "capsule", "mesh"];

const used = await team();
const browser = await launch();
await mkdir("pictures", { recursive: true });
for (const name of WANTED) {
  const page = await open(browser, used.node.url);
  await page.goto(used.node.url + used.pages[name].path, { waitUntil: "load" });
  await page.getByTestId(used.pages[name].testid).first().waitFor();
  await page.screenshot({ path: `pictures/${name}.jpeg`, type: "jpeg", quality: 82 });
  await page.context().close();
}
await browser.close();
await used.stop();
