// The scrubber of the Time Machine. Dragging and keys move the tape of moments that are here already; the node is
// asked for what a moment is when it rests, and for more moments before the tape ends. All without this: links.
"use strict";

(() => {
  const PITCH = 22; // between two moments: the `PITCH` of the drawing
  const REST_MS = 120; // how long a moment has to stand before it is looked at
  const AGAIN_MS = 1_000; // between two looks at a moment that stands while things happen
  const AHEAD = 45; // moments that should be left in the direction of an end that is none

  /** What the node answers; nothing while it cannot be reached, which the page says by itself. */
  const ask = async (path, options) => {
    try {
      return await fetch(path, { headers: { "HX-Request": "true" }, ...options });
    } catch (error) {
      if (error instanceof TypeError) return undefined;
      throw error;
    }
  };

  let stage = document.getElementById("stage");
  let asked = false; // whether more of the tape is on its way
  let late = false; // whether the journal moved meanwhile
  if (!stage?.querySelector(".track")) {
    // The first moment brings the whole machine with it.
    const first = async () => {
      late = asked;
      if (asked) return;
      asked = true;
      const answer = await ask(`/ui/timeline/_lanes?${stage.dataset.rest.slice(1)}`);
      if (answer?.ok && (await answer.text()).includes('class="track"')) return location.reload();
      asked = false;
      if (late) first();
    };
    document.body.addEventListener("moved", first);
    return;
  }

  let ids; // of the moments on the tape, oldest first
  let says; // what each is, in words
  let rows; // the lane of each, as its height
  let drawn; // the moment under the needle when the tape was drawn
  let at; // the moment under the needle now
  let frame = 0;
  let rest = 0;
  let shown = stage.dataset.at;
  let panel; // aborts a look at a moment that is not wanted any more
  let told = ""; // the panel of the moment, as the node told it last
  let again = 0; // the time until the moment is looked at again
  let looked = 0; // when that was

  const find = (selector) => stage.querySelector(selector);

  /** Takes over the tape that is in the page, with the moment `id` under the needle. */
  const take = (id) => {
    stage.classList.add("live");
    const links = [...find(".track").querySelectorAll("a")];
    ids = links.map((link) => new URLSearchParams(link.search ?? link.href.baseVal.split("?")[1]).get("at"));
    says = links.map((link) => link.getAttribute("aria-label"));
    rows = links.map((link) => Number(/ (\d+)\)/.exec(link.firstElementChild.getAttribute("transform"))[1]));
    drawn = ids.indexOf(stage.dataset.at);
    at = Math.max(0, ids.indexOf(id) < 0 ? drawn : ids.indexOf(id));
    // The slider says what the links say, and one stop is enough for whoever goes by keys.
    find(".track").setAttribute("inert", "");
    const slider = find(".slider");
    slider.hidden = false;
    slider.setAttribute("aria-valuemax", String(ids.length));
    say();
    draw();
  };

  /** Tells whoever does not see the tape where the needle is. */
  const say = () => {
    const slider = find(".slider");
    slider.setAttribute("aria-valuenow", String(at + 1));
    slider.setAttribute("aria-valuetext", says[at]);
  };

  const draw = () => {
    frame = 0;
    find(".track").style.transform = `translate3d(${(drawn - at) * PITCH}px, 0, 0)`;
    find(".needle circle").setAttribute("cy", String(rows[at]));
    find(".saying").textContent = says[at];
  };

  const move = (to) => {
    const next = Math.max(0, Math.min(ids.length - 1, to));
    if (next !== at) {
      at = next;
      frame ||= requestAnimationFrame(draw);
      clearTimeout(rest);
      rest = setTimeout(look, REST_MS);
    }
    const left = at < AHEAD && stage.dataset.older === "true";
    const right = ids.length - 1 - at < AHEAD && stage.dataset.newer === "true";
    if ((left || right) && !asked) more();
  };

  /** Fetches the moments around the one under the needle, which stays where it is; `unless` there are no newer. */
  const more = async (unless = "") => {
    asked = true;
    try {
      const answer = await ask(`/ui/timeline/_lanes?at=${ids[at]}&newest=${unless}${stage.dataset.rest}`);
      if (!answer?.ok || answer.status === 204) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("stage");
      if (!fresh?.querySelector(".track")) return;
      const focus = stage.contains(document.activeElement) ? document.activeElement.dataset : {};
      const slider = document.activeElement === find(".slider");
      const id = ids[at];
      stage.replaceWith(fresh);
      stage = fresh;
      take(id);
      const again = slider ? ".slider" : "now" in focus ? "[data-now]" : focus.step && `[data-step="${focus.step}"]`;
      if (again) find(again)?.focus({ preventScroll: true });
    } finally {
      asked = false;
      if (late) news();
    }
  };

  /** Shows what the moment under the needle is. */
  const look = async () => {
    say();
    const id = ids[at];
    if (id === shown) return;
    const url = new URL(location.href);
    url.searchParams.set("at", id);
    url.searchParams.delete("until");
    history.replaceState(null, "", url);
    panel?.abort();
    panel = new AbortController();
    document.getElementById("moment").setAttribute("aria-busy", "true");
    try {
      const answer = await ask(`/ui/timeline/_moment?at=${id}${stage.dataset.rest}`, { signal: panel.signal });
      const text = await answer?.text() ?? "";
      const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("moment");
      if (!fresh) return;
      document.getElementById("moment").replaceWith(fresh);
      [shown, told] = [id, text];
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      if (ids[at] === id) document.getElementById("moment").removeAttribute("aria-busy");
    }
  };

  /** Looks at the moment again that is shown: something may be said of it, and what is typed into its forms stays. */
  const renew = () => {
    again ||= setTimeout(async () => {
      [again, looked] = [0, performance.now()];
      const id = shown;
      const answer = await ask(`/ui/timeline/_moment?at=${id}${stage.dataset.rest}`);
      const text = answer?.ok ? await answer.text() : told;
      const target = document.getElementById("moment");
      // Another moment may have come under the needle meanwhile, which is looked at anew.
      if (text === told || id !== shown || id !== ids[at] || target.ariaBusy) return;
      told = text;
      await window.htmx.swap({ sourceElement: target, target, text, swap: "outerMorph" });
    }, Math.max(0, looked + AGAIN_MS - performance.now()));
  };

  // ---- hands and keys ----

  const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const slider = event.target.closest?.(".slider");
    // Up and down scroll the page unless the slider has the focus.
    if (!slider && (event.target.closest?.("input, textarea, select, [tabindex='0'], summary") || !/^Arrow(Left|Right)$|^m$/.test(event.key))) return;
    if (event.key === "m") { document.querySelector("[data-mark]")?.click(); return; }
    if (event.key === "Home") move(0);
    else if (event.key === "End") now();
    else if (event.key in STEPS) move(at + STEPS[event.key] * (event.shiftKey ? 10 : 1));
    else return;
    event.preventDefault();
  });

  const now = () => {
    if (stage.dataset.newer === "true") location.href = `/ui/timeline?${stage.dataset.rest.slice(1)}`;
    else move(ids.length - 1);
  };

  let hold; // where the hand took the tape
  const machine = document.querySelector(".machine");
  machine.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.target.closest(".tape")) return;
    hold = { x: event.clientX, at: ids[at], moved: false };
    machine.setPointerCapture(event.pointerId);
  });
  machine.addEventListener("pointermove", (event) => {
    const tape = event.target.closest?.(".tape") ?? find(".tape");
    if (!hold) {
      const under = event.target.closest?.(".tape") ? at + slots(event) : -1;
      tape.title = says[under] ?? "";
      return;
    }
    const by = event.clientX - hold.x;
    hold.moved ||= Math.abs(by) > 4;
    // The tape may have been exchanged meanwhile: the moment is known by its id.
    const from = ids.indexOf(hold.at);
    if (hold.moved && from >= 0) move(from - Math.round(by / PITCH));
    else if (from < 0) hold = { x: event.clientX, at: ids[at], moved: true };
  });
  /** How many moments from the needle a pointer is. */
  const slots = (event) => {
    const box = find(".tape").getBoundingClientRect();
    return Math.round((event.clientX - box.left - box.width / 2) / PITCH);
  };
  const release = (event) => {
    if (hold && !hold.moved && event.type === "pointerup") move(at + slots(event));
    if (hold) find(".slider").focus({ preventScroll: true });
    hold = undefined;
  };
  machine.addEventListener("pointerup", release);
  machine.addEventListener("pointercancel", release);
  let turned = 0;
  machine.addEventListener("wheel", (event) => {
    if (!event.target.closest(".tape") || Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.preventDefault();
    turned += event.deltaX;
    const steps = Math.trunc(turned / PITCH);
    turned -= steps * PITCH;
    if (steps) move(at + steps);
  }, { passive: false });
  machine.addEventListener("click", (event) => {
    const step = event.target.closest("[data-step], [data-now]");
    if (!step || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (step.dataset.step) move(at + Number(step.dataset.step));
    else now();
  });

  // What came meanwhile is drawn beside the chosen moment, once hands are off.
  const news = () => {
    late = asked;
    // What is newer than an end that is none is fetched on the way there.
    if (!hold && !asked && stage.dataset.newer === "false" && at > ids.length - AHEAD) more(ids.at(-1));
  };
  document.body.addEventListener("moved", news);
  document.body.addEventListener("moved", renew);

  take(stage.dataset.at);
})();
