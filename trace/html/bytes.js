// Bytes beside their fields.

const firstBytes = 1024; // of long ones, until asked for more

// The bytes as text: pairs of digits, which wrap where the line is full.
const pairs = (hex) => hex.replace(/../g, "$& ");

function offsets(total, width) {
  const lines = [];
  for (let at = 0; at < total; at += width) lines.push(at.toString(16).padStart(4, "0"));
  return el("pre", { class: "at w" + width, "aria-hidden": "true" }, lines.join("\n"));
}

// Cuts the bytes at the borders of the fields. What no field names stays as a piece of its own.
function pieces(fields, total) {
  const all = [];
  let at = 0;
  fields.forEach((f, i) => {
    if (f.offset < at || f.length === 0) return;
    if (f.offset > at) all.push({ from: at, to: f.offset, field: -1 });
    all.push({ from: f.offset, to: f.offset + f.length, field: i });
    at = f.offset + f.length;
  });
  if (at < total) all.push({ from: at, to: total, field: -1 });
  return all;
}

function hexView(hex, fields, most) {
  const total = Math.min(hex.length / 2, most);
  const text = el("div", { class: "hex" });
  for (const p of pieces(fields, hex.length / 2)) {
    if (p.from >= total) break;
    const digits = pairs(hex.slice(2 * p.from, 2 * Math.min(p.to, total)));
    text.append(el("span", { class: "piece" + (p.field % 2 ? " odd" : ""), "data-f": p.field, title: p.field < 0 ? "no field" : fields[p.field].path }, digits));
  }
  return el("div", { class: "hexes" }, offsets(total, 16), offsets(total, 8), text);
}

const parentOf = (path) => path.slice(0, Math.max(0, path.lastIndexOf(".")));
const nameOf = (path) => path.slice(path.lastIndexOf(".") + 1);

function fieldRow(f, i, id) {
  return el("div", { class: "field", id: id ? id + ".f" + i : null, tabindex: i === 0 ? 0 : -1, "data-f": i },
    el("span", { class: "name" }, nameOf(f.path)), " ",
    el("span", { class: "value" }, f.value || ""), " ",
    el("span", { class: "place" }, "+" + f.offset + ", " + plural(f.length, "byte")),
    f.meaning && el("span", { class: "meaning" }, f.meaning),
    f.section && el("span", { class: "section" }, f.section));
}

function fieldList(fields, id) {
  const list = el("div", { class: "fields" });
  let parent = "";
  fields.forEach((f, i) => {
    const p = parentOf(f.path);
    if (p !== parent) list.append(el("div", { class: "parent" }, p || "·"));
    parent = p;
    list.append(fieldRow(f, i, id));
  });
  return list;
}

// The two sides mark each other: what is pointed at, or has the focus.
function join(box) {
  const mark = (i, on) => {
    if (i === undefined || i === "-1") return;
    for (const n of box.querySelectorAll('[data-f="' + Number(i) + '"]')) n.classList.toggle("hot", on);
  };
  const field = (e) => { const n = e.target.closest("[data-f]"); return n ? n.dataset.f : undefined; };
  for (const [event, on] of [["pointerover", true], ["pointerout", false], ["focusin", true], ["focusout", false]]) {
    box.addEventListener(event, (e) => mark(field(e), on));
  }
  box.addEventListener("click", (e) => {
    const piece = e.target.closest(".piece");
    const row = piece && box.querySelector('.field[data-f="' + Number(piece.dataset.f) + '"]');
    if (row) row.focus({ preventScroll: false });
  });
  box.addEventListener("keydown", (e) => {
    const row = e.target.closest(".field");
    if (!row || (e.key !== "ArrowDown" && e.key !== "ArrowUp")) return;
    const rows = [...box.querySelectorAll(".field")];
    const next = rows[rows.indexOf(row) + (e.key === "ArrowDown" ? 1 : -1)];
    if (next) { e.preventDefault(); next.focus(); }
  });
}

// Bytes to the left, fields to the right; id, if any, is the start of the ids of the fields.
function bytesView(hex, fields, id) {
  fields = fields || [];
  const box = el("div", { class: "pair" });
  const draw = (most) => {
    const more = hex.length / 2 > most && el("button", { type: "button", click: () => draw(Infinity) }, "Show all " + hex.length / 2 + " bytes");
    box.replaceChildren(el("div", { class: "left" }, hexView(hex, fields, most), more || null), fieldList(fields, id));
  };
  draw(firstBytes);
  join(box);
  return box;
}

// Unfolds a record or message and puts the focus on one of its fields.
function showField(id, i) {
  goTo(id);
  const row = byId(id + ".f" + i);
  if (!row) return;
  row.scrollIntoView({ block: "center" });
  row.focus({ preventScroll: true });
}
