// The drawing of the key schedule.

const boxHeight = 50;
const rowHeight = 62;

// The name of a secret as it fits into a box.
function boxName(k) {
  const last = k.name.split(" ").pop();
  const name = ["key", "iv", "finished"].includes(last) && k.name.includes(" ") ? last : k.name;
  return name.replace(/_/g, " ").replace("application traffic secret", "app traffic").replace("handshake traffic secret", "hs traffic").replace(" traffic secret", " traffic").replace("exporter master secret", "exporter secret").replace("resumption master secret", "resumption secret");
}

function boxHow(k) {
  switch (k.how) {
    case "HKDF-Extract": return "HKDF-Extract";
    case "given": return "given, not derived";
    case "part": return "a part of it";
    case "ECDH": return "key exchange";
    case "PRF": return "PRF “" + k.label + "”";
    case "Derive-Secret": return "Derive “" + k.label + "”";
  }
  return "Expand “" + (k.label || "") + "”";
}

// What of the conversation went in: the transcript, or single fields.
function boxFed(k) {
  if (k.up_to >= 0 && rec.messages[k.up_to]) return { text: "ClientHello … " + rec.messages[k.up_to].type, go: () => goTo("m" + k.up_to), id: "m" + k.up_to };
  const fed = (k.fed || [])[0];
  const m = fed && rec.messages[fed.message];
  if (!m) return null;
  const names = k.fed.map((f) => nameOf(f.path));
  return { text: [...new Set(names)].join(", ") + " of " + (k.fed.length > 1 ? plural(k.fed.length, "field") : m.type), go: () => goTo("k" + k.id), id: "m" + fed.message };
}

// The step that another continues: of several inputs the one with the longest history.
function scheduleTree() {
  const depth = [];
  const tree = rec.keys.map((k) => {
    let parent = -1;
    for (const id of k.from || []) {
      if (id < k.id && (parent < 0 || depth[id] > depth[parent])) parent = id;
    }
    depth[k.id] = parent < 0 ? 0 : depth[parent] + 1;
    return { k: k, parent: parent, kids: [], feeds: false };
  });
  for (const n of tree) {
    if (n.parent >= 0) tree[n.parent].kids.push(n);
    if (n.k.how === "HKDF-Extract") for (const id of n.k.from || []) tree[id].feeds = true;
  }
  return tree;
}

// Columns: what comes from outside, the trunk of extractions, the secrets, the keys made of them.
function columnsOf(tree) {
  for (const n of tree) {
    const parent = tree[n.parent];
    if (n.k.how === "HKDF-Extract" || (n.feeds && parent)) n.column = 1;
    else if (!parent) n.column = 0;
    else n.column = Math.min(parent.column + (n.k.label === "traffic upd" ? 0 : 1), 4);
  }
}

// Rows: a step and its first follower share one, as far as they are in different columns.
function rowsWide(tree) {
  let next = 0;
  const place = (n, row) => {
    n.row = row;
    next = Math.max(next, row + 1);
    const beside = n.kids.filter((c) => c.column > n.column);
    beside.forEach((c, i) => place(c, i === 0 ? row : next));
    n.kids.filter((c) => c.column <= n.column).forEach((c) => place(c, next));
  };
  const used = new Set();
  const roots = tree.filter((n) => n.parent < 0);
  const lone = roots.filter((n) => !n.kids.length && tree.some((o) => (o.k.from || []).includes(n.k.id)));
  for (const n of roots) if (!lone.includes(n)) place(n, next);
  for (const n of tree) if (n.row !== undefined) used.add(n.column + "/" + n.row);
  for (const n of lone) {
    let row = Math.min(...tree.filter((o) => o.row !== undefined && (o.k.from || []).includes(n.k.id)).map((o) => o.row));
    if (!isFinite(row)) row = next;
    while (used.has("0/" + row)) row += 1;
    used.add("0/" + row);
    n.column = 0;
    n.row = row;
    next = Math.max(next, row + 1);
  }
  return next;
}

// In a narrow window each step has its own row, indented.
function rowsNarrow(tree) {
  let next = 0;
  const place = (n) => {
    for (const id of n.k.from || []) if (tree[id].row === undefined && id !== n.parent && !tree[id].kids.length) tree[id].row = next++;
    n.row = next++;
    [...n.kids].sort((a, b) => b.column - a.column).forEach(place);
  };
  const isLone = (n) => !n.kids.length && tree.some((o) => (o.k.from || []).includes(n.k.id));
  for (const n of tree) if (n.parent < 0 && n.row === undefined && !isLone(n)) place(n);
  for (const n of tree) if (n.row === undefined) n.row = next++;
  return next;
}

function edge(from, to, cls, narrow) {
  const same = narrow || from.x + from.w > to.x;
  let d;
  if (!same) {
    const bend = (from.x + from.w + to.x) / 2;
    d = "M" + (from.x + from.w) + " " + (from.y + boxHeight / 2) + " H" + bend + " V" + (to.y + boxHeight / 2) + " H" + (to.x - 5);
  } else if (from.y < to.y) {
    const x = from.x + 9;
    d = to.x > from.x ? "M" + x + " " + (from.y + boxHeight) + " V" + (to.y + boxHeight / 2) + " H" + (to.x - 5)
      : "M" + (to.x + 20) + " " + (from.y + boxHeight) + " V" + (to.y - 5);
    if (to.x <= from.x && from.x > to.x + 20) d = "M" + from.x + " " + (from.y + boxHeight / 2) + " H" + (to.x + 20) + " V" + (to.y - 5);
  } else {
    d = "M" + (from.x + 9) + " " + from.y + " V" + (to.y + boxHeight / 2) + " H" + (to.x + to.w);
  }
  return svg("path", { class: "edge " + cls, d: d, "data-from": from.k.id, "data-to": to.k.id, "marker-end": "url(#tip)" });
}

function drawBox(n) {
  const k = n.k;
  const fit = (text) => { const most = Math.floor((n.w - 14) / 6.1); return text.length > most ? text.slice(0, most - 1) + "…" : text; };
  const fed = boxFed(k);
  const kind = k.how === "HKDF-Extract" ? "extract" : k.how === "given" || k.how === "ECDH" ? "outside" : "expand";
  const hot = (on) => () => markSteps(n, on);
  const box = svg("a", { href: "#k" + k.id, class: "box " + kind + " " + epochClass(k.epoch || "none"), id: "b" + k.id, "data-k": k.id, click: (e) => { e.preventDefault(); goTo("k" + k.id); },
    pointerenter: hot(true), pointerleave: hot(false), focus: hot(true), blur: hot(false) },
    svg("title", {}, k.name + (k.side ? ", of the " + k.side : "") + ": " + boxHow(k)),
    svg("rect", { x: n.x, y: n.y, width: n.w, height: boxHeight, rx: kind === "outside" ? 16 : 4 }),
    svg("text", { class: "name", x: n.x + 8, y: n.y + 15 }, fit(boxName(k))),
    svg("text", { class: "how", x: n.x + 8, y: n.y + 29 }, fit(boxHow(k))),
    svg("text", { class: "mark", x: n.x + n.w - 6, y: n.y + 15, "text-anchor": "end" }, ""));
  const source = fed && svg("a", { href: "#" + fed.id, class: "fed", click: (e) => { e.preventDefault(); fed.go(); } }, svg("text", { x: n.x + 8, y: n.y + 43 }, fit("← " + fed.text)));
  return [box, source];
}

// All that led to a step, and what came of it directly.
function markSteps(n, on) {
  const before = new Set();
  const walk = (id) => {
    if (before.has(id)) return;
    before.add(id);
    for (const up of rec.keys[id].from || []) walk(up);
  };
  walk(n.k.id);
  for (const node of byId("schedule").querySelectorAll("[data-k], [data-to]")) {
    const hot = node.dataset.k !== undefined ? before.has(Number(node.dataset.k)) : before.has(Number(node.dataset.to));
    node.classList.toggle("hot", on && hot);
  }
}

function drawSchedule() {
  const holder = byId("schedule");
  if (!rec.keys.length) {
    holder.replaceChildren(el("p", {}, "No key schedule: the handshake did not get that far, or nothing is known of its secrets."));
    return;
  }
  const room = holder.clientWidth || 1000;
  const narrow = room < 720;
  const tree = scheduleTree();
  columnsOf(tree);
  const rows = narrow ? rowsNarrow(tree) : rowsWide(tree);
  const columns = Math.max(...tree.map((n) => n.column)) + 1;
  const gap = 26;
  const w = narrow ? Math.max(200, room - 16 * columns - 8) : Math.min(230, Math.max(150, (room - gap * (columns - 1) - 4) / columns));
  for (const n of tree) {
    n.w = w;
    n.x = narrow ? 2 + n.column * 16 : 2 + n.column * (w + gap);
    n.y = 4 + n.row * rowHeight;
  }
  const edges = tree.map((n) => (n.k.from || []).map((id) => edge(tree[id], n, id === n.parent ? "" : "second", narrow)));
  const width = Math.max(...tree.map((n) => n.x + n.w)) + 4;
  const height = rows * rowHeight + 4;
  holder.replaceChildren(svg("svg", { viewBox: "0 0 " + width + " " + height, width: width, height: height, role: "group", "aria-label": "Key schedule, " + plural(tree.length, "step") },
    svg("defs", {}, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0L8 4L0 8z" }))),
    edges, tree.map(drawBox)));
  for (const k of rec.keys) if (verdicts.has("k" + k.id)) markBox(k.id, verdicts.get("k" + k.id));
}
