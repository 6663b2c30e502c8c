// What Studio's pages do beyond what HTML does: live news, the palette, keys, copying. Without it every page
// reads and every form works.
"use strict";

const html = document.documentElement;
const qs = (selector, root = document) => root.querySelector(selector);
const qsa = (selector, root = document) => [...root.querySelectorAll(selector)];

html.dataset.script = "on";

/** Tells whoever does not see the page; the same text again is told again. */
const say = (text) => {
  const news = qs("#news");
  news.textContent = "";
  requestAnimationFrame(() => { news.textContent = text; });
};

// ---- live: the node says that its journal has moved, and regions of the page that asked for it come again ----

/** Between two tries to listen, once the node has refused one. */
const AGAIN_MS = 2_000;
let source;
const listen = () => {
  // A browser keeps six connections to a host; a page that nobody sees must not hold one.
  if (source || document.hidden || !document.body.dataset.live || !window.htmx) return;
  source = new EventSource(document.body.dataset.live);
  source.addEventListener("moved", () => document.body.dispatchEvent(new CustomEvent("moved")));
  source.onopen = () => link("up");
  source.onerror = () => {
    link("lost");
    // A browser tries again by itself unless it was refused.
    if (source?.readyState === EventSource.CLOSED) {
      source = undefined;
      setTimeout(listen, AGAIN_MS);
    }
  };
};
/** Says how the node is reached: what stands on a page that it cannot be reached from may be old. */
const link = (state) => {
  const before = html.dataset.link;
  html.dataset.link = state;
  if (before === state) return;
  qs("#link").textContent = state === "lost" ? "not connected: trying again" : "";
  // What happened meanwhile was told to nobody.
  if (before === "lost") {
    say("connected again");
    document.body.dispatchEvent(new CustomEvent("moved"));
  }
};
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source?.close();
    source = undefined;
  } else {
    listen();
    document.body.dispatchEvent(new CustomEvent("moved"));
  }
});
listen();

// ---- copying: what a form would send, as it is filled in now ----

const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** What `form` says when it is sent by `button`, or by itself. */
const filled = (form, button) => {
  const values = {};
  // What is no text is said by the form, or behind a colon by the field itself.
  const kinds = new Map((form.dataset.types ?? "").split(" ").map((pair) => pair.split("=")));
  for (const field of qsa("[name]", form)) {
    if (field.name.startsWith("~") || field.disabled) continue;
    if (field.type === "radio" && !field.checked) continue;
    const value = field.type === "checkbox" ? field.checked : field.value;
    if (value === "" || value === false) continue;
    if (field.type === "submit" && field !== button) continue;
    const [name, kind = kinds.get(field.name)] = field.name.split(":");
    const typed = kind in TYPES ? TYPES[kind](value) : value;
    const parts = name.split(".").map((part) => decodeURIComponent(part.replaceAll("+", " ")));
    const last = parts.pop();
    parts.reduce((inner, part) => inner[part] ??= {}, values)[last] = typed;
  }
  return values;
};
const parsed = (text) => { try { return JSON.parse(text); } catch { return text; } };
const TYPES = { json: parsed, object: parsed, array: parsed, number: Number, integer: Number, hours: (text) => Number(text) * 3600, boolean: (text) => text === true || text === "true" || text === "on",
  lines: (text) => text.split("\n").map((line) => line.trim()).filter(Boolean) };

const asCurl = (form, button) => {
  const values = filled(form, button);
  const path = form.dataset.path.replaceAll(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    delete values[name];
    return encodeURIComponent(value ?? `{${name}}`);
  });
  const url = location.origin + path;
  if (form.enctype === "multipart/form-data") {
    const parts = qsa("[name]", form).map((field) => `${field.name}=${field.type === "file" ? `@${field.files[0]?.name ?? "FILE"}` : field.value}`);
    return `curl ${quoted(url)} ${parts.map((part) => `-F ${quoted(part)}`).join(" ")}`;
  }
  // An action without a route of its own is an intent by its name.
  const body = path === "/api/v1/intents" ? { action: form.dataset.action, input: values } : values;
  return `curl -X POST ${quoted(url)} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))}`;
};
const asCli = (form, button) => {
  const values = filled(form, button);
  const word = (value) => /^[\w.:@/-]+$/.test(value) ? value : quoted(value);
  // A text that reads as JSON is quoted, so that it stays a text.
  const entry = ([name, value]) => `${name}=${typeof value === "string" && parsed(value) === value ? value : JSON.stringify(value)}`;
  const said = (value) => word(typeof value === "object" ? JSON.stringify(value) : String(value));
  // `{place.line}` is a field in a field.
  const value = (name) => name.split(".").reduce((inner, part) => inner?.[part], values);
  // The word of a field's value, as in `{approve?true=approve,false=reject}`.
  const choice = (name, words) => new Map(words.split(",").map((pair) => pair.split("="))).get(String(value(name) ?? ""));
  const has = ([, name, words]) => words ? choice(name, words) !== undefined : value(name) !== undefined;
  const line = form.dataset.cli.replaceAll(/( ?)\[([^\]]*)\]/g, (_, space, part) =>
    [...part.matchAll(/\{([\w.]+)(?:\?([^}]*)|=\w+)?\}/g)].every(has) ? space + part : ""
  ).replaceAll(/\{([\w.]+)\?([^}]*)\}/g, (_, name, words) => choice(name, words) ?? name.toUpperCase()
  ).replaceAll(/\{(\w+)=(\w+)\}/g, (_, name, option) => Object.entries(values[name]).map((pair) => `--${option} ${word(entry(pair))}`).join(" ")
  ).replaceAll(/\{([\w.]+)\}/g, (_, name) => value(name) === undefined ? name.toUpperCase() : said(value(name)));
  // What the command has no word for is not passed over; a file has its own fields.
  const rest = Object.keys(values).filter((name) => !new RegExp(`\\{${name}[.?=}]`).test(form.dataset.cli));
  return rest.length && !/ FILE\b/.test(line) ? `${line} # without ${rest.join(", ")}` : line;
};

document.addEventListener("toggle", (event) => {
  const copy = event.target;
  if (!copy.matches?.("details.copy") || !copy.open) return;
  const form = copy.closest("form");
  if (!form?.dataset.path) return;
  const stack = qs(".stack", copy);
  const lines = ["curl", "cli"].map((kind) => qs(`[data-copy=${kind}]`, stack)?.closest(".line")).filter(Boolean);
  // A form with several buttons is copied as each of them sends it.
  const buttons = qsa("button[name]:not([type])", form);
  stack.replaceChildren(...(buttons.length ? buttons : [undefined]).flatMap((button) => lines.map((line) => {
    const filledIn = line.cloneNode(true);
    const code = qs("[data-copy]", filledIn);
    code.textContent = code.dataset.copy === "curl" ? asCurl(form, button) : asCli(form, button);
    if (buttons.length > 1) code.setAttribute("aria-label", `${button.textContent}, ${code.getAttribute("aria-label").replace(/^.*, /, "")}`);
    return filledIn;
  })));
}, true);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (button) {
    const code = qs("code", button.parentElement);
    await navigator.clipboard.writeText(code.textContent);
    say("copied");
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  }
  const shut = event.target.closest("[data-shuts]");
  if (shut) shut.closest(shut.dataset.shuts)?.replaceChildren();
  const menu = event.target.closest(".menu");
  if (menu) {
    event.preventDefault();
    menu.setAttribute("aria-expanded", String(menu.getAttribute("aria-expanded") !== "true"));
  }
});

// ---- palette and keys ----

const palette = qs("#palette");
const help = qs("#help");
const places = () => {
  const links = qsa("[data-place]").map((link) => ({ name: link.dataset.place, note: link.dataset.note ?? "go to", go: () => link.click() }));
  const acts = qsa("form.act button:not([type]), .top a.button").map((button) => ({ name: button.textContent.trim(), note: "on this page", go: () => leadTo(button) }));
  // What the page offers by a name comes before what every page does.
  return [...new Map([...links, ...acts].map((place) => [place.name, place])).values()];
};
// An act is chosen here and done there: its form is shown, and it is the person who sends it.
const leadTo = (button) => {
  const form = button.closest("form.act");
  if (!form) { button.click(); return; }
  for (let fold = button.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  const field = qsa("input:not([type=hidden]), select, textarea", form).find((field) => field.checkVisibility()) ?? button;
  field.scrollIntoView({ block: "center" });
  field.focus();
};

const show = () => {
  const field = qs("input", palette);
  field.value = "";
  choose();
  palette.showModal();
  field.focus();
};

let found = [];
let chosen = 0;
const fits = (text, words) => words.every((word) => text.includes(word));
const choose = () => {
  const words = qs("input", palette).value.toLowerCase().split(/\s+/).filter(Boolean);
  found = places().filter((place) => fits(place.name.toLowerCase(), words)).slice(0, 40);
  const id = qs("input", palette).value.trim();
  if (/^[0-9a-f-]{8,}$/i.test(id)) {
    found.unshift({ name: `Find ${id}`, note: "by id", go: () => { location.href = `/ui/find?id=${encodeURIComponent(id)}`; } });
  }
  chosen = 0;
  draw();
};
const draw = () => {
  const list = qs("ul", palette);
  list.replaceChildren(...found.map((place, index) => {
    const item = document.createElement("li");
    item.id = `place-${index}`;
    item.role = "option";
    item.ariaSelected = String(index === chosen);
    const note = document.createElement("small");
    note.className = "muted";
    note.textContent = place.note;
    item.append(place.name, note);
    item.onclick = () => { palette.close(); place.go(); };
    return item;
  }));
  qs("input", palette).setAttribute("aria-activedescendant", found.length ? `place-${chosen}` : "");
  qs(`#place-${chosen}`)?.scrollIntoView({ block: "nearest" });
};

if (palette) {
  qs("input", palette).addEventListener("input", choose);
  palette.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      chosen = (chosen + step + found.length) % found.length;
      draw();
    } else if (event.key === "Enter" && found[chosen]) {
      event.preventDefault();
      palette.close();
      found[chosen].go();
    }
  });
  for (const opener of qsa("[data-opens=palette]")) opener.addEventListener("click", show);
  for (const opener of qsa("[data-opens=help]")) opener.addEventListener("click", () => help.showModal());
}

const typing = (element) => element?.closest("input, textarea, select, [contenteditable]");
let lead = "";
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (!palette.open) show();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || qs("dialog[open]")) return;
  if (event.key === "?") help.showModal();
  else if (event.key === "/") { const field = qs("form.filter input"); if (field) { event.preventDefault(); field.focus(); } }
  else if (event.key === "g") { lead = "g"; setTimeout(() => { lead = ""; }, 900); return; }
  else if (lead === "g") qs(`[data-key="${CSS.escape(event.key)}"]`)?.click();
  else if (event.key === "j" || event.key === "k") {
    const rows = qsa("main .row-link");
    const at = rows.indexOf(document.activeElement) + (event.key === "j" ? 1 : -1);
    rows[Math.max(0, Math.min(rows.length - 1, at))]?.focus();
  }
  lead = "";
});

// What was done is said once: going back or loading again does not say it anew.
if (location.search.includes("done=")) {
  const url = new URL(location.href);
  url.searchParams.delete("done");
  history.replaceState(null, "", url);
}
