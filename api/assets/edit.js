// What the editor does beyond a field for text: its lines stay numbered, a fault is shown where it is and leads
// there, and Ctrl+S saves a draft.
"use strict";

for (const editor of document.querySelectorAll("[data-editor]")) {
  const [gutter, field] = [editor.querySelector(".gutter"), editor.querySelector("textarea")];
  const faults = () => [...document.querySelectorAll("#faults [data-line]")];

  const number = () => {
    const faulty = new Set(faults().map((fault) => Number(fault.dataset.line)));
    const count = field.value.split("\n").length;
    const parts = [];
    let plain = "";
    for (let line = 1; line <= count; line += 1) {
      if (!faulty.has(line)) { plain += `${line}\n`; continue; }
      const mark = document.createElement("mark");
      mark.textContent = line;
      parts.push(plain, mark);
      plain = "\n";
    }
    gutter.replaceChildren(...parts, plain);
  };

  const lead = (line, column) => {
    const lines = field.value.split("\n");
    const before = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
    // Columns count characters, and a field counts UTF-16 units.
    const within = [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length;
    field.focus();
    field.setSelectionRange(before + within, before + within);
    const height = parseFloat(getComputedStyle(field).lineHeight);
    editor.scrollTop = Math.max(0, (line - 4) * height);
    editor.scrollIntoView({ block: "nearest" });
  };

  field.addEventListener("input", number);
  document.addEventListener("htmx:after:swap", number);
  document.addEventListener("click", (event) => {
    const fault = event.target.closest("#faults [data-line]");
    if (!fault) return;
    event.preventDefault();
    lead(Number(fault.dataset.line), Number(fault.dataset.column));
  });
  field.addEventListener("keydown", (event) => {
    const saves = field.form.dataset.action === "drafts.save" && event.key.toLowerCase() === "s";
    if (!saves || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    field.form.requestSubmit();
  });
  number();
}
