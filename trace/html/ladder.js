// The ladder: who said what, in order, and from where on it is encrypted.

// One row for each message, and for each record that has none; runs of application data become one row.
function ladderRows() {
  const rows = [];
  const ended = new Map();
  for (const m of rec.messages) {
    const last = m.spans && m.spans.length ? m.spans[m.spans.length - 1].record : -1;
    ended.set(last, (ended.get(last) || []).concat(m));
  }
  for (const r of rec.records) {
    const messages = ended.get(r.id) || [];
    for (const m of messages) rows.push({ kind: "message", from: m.from, id: "m" + m.id, text: m.type, epoch: m.epoch, more: plural(m.raw.length / 2, "byte"), at: m.at_ns });
    if (messages.length || (r.messages || []).length) continue;
    const type = r.inner_type || r.type;
    const last = rows[rows.length - 1];
    if (type === "application_data" && last && last.data && last.from === r.from && last.epoch === r.epoch) {
      last.count += 1;
      last.length += r.content_length;
      continue;
    }
    rows.push({ kind: "record", from: r.from, id: "r" + r.id, text: recordName(r), epoch: r.epoch, at: r.at_ns, data: type === "application_data", count: 1, length: r.content_length || 0, bad: type === "alert" && recordName(r).includes("fatal") });
  }
  for (const row of rows) {
    if (row.data && epochClass(row.epoch) !== "closed") {
      row.text = "application data";
      row.more = plural(row.length, "byte") + (row.count > 1 ? " in " + row.count + " records" : "");
    } else if (row.data) {
      row.text = "encrypted";
      row.more = plural(row.count, "record");
    }
  }
  return withTurns(rows);
}

// Adds a row wherever a side begins to use other keys.
function withTurns(rows) {
  const keys = { client: "plaintext", server: "plaintext" };
  const out = [];
  for (const row of rows) {
    if (row.epoch !== keys[row.from]) out.push({ kind: "turn", from: row.from, epoch: row.epoch, text: "from here on the " + row.from + " writes with " + (epochClass(row.epoch) === "closed" ? "keys we do not have" : epochWords(row.epoch)) });
    keys[row.from] = row.epoch;
    out.push(row);
  }
  if (rec.failure) out.push({ kind: "end", from: rec.failure.by || "client", text: "stops here" + (rec.failure.alert ? ": " + rec.failure.alert : "") });
  return out;
}

const padlock = (x, y) => svg("path", { class: "lock", d: "M" + x + " " + y + "h8v6h-8z m1.5 0v-2.5a2.5 2.5 0 0 1 5 0v2.5" });

function ladderArrow(row, y, left, right) {
  const from = row.from === "client" ? left : right;
  const to = row.from === "client" ? right : left;
  const point = row.from === "client" ? -1 : 1;
  const cls = epochClass(row.epoch);
  const middle = (left + right) / 2;
  const label = row.text + (row.more ? " · " + row.more : "");
  const room = Math.floor((right - left - 30) / 6.4);
  const shown = label.length > room ? label.slice(0, room - 1) + "…" : label;
  const link = svg("a", { href: "#" + row.id, class: "rung " + cls + (row.bad ? " alert" : ""), click: (e) => { e.preventDefault(); goTo(row.id); } },
    svg("title", {}, row.text + ", by the " + row.from + ", " + epochWords(row.epoch) + ", after " + millis(row.at)),
    svg("rect", { class: "touch", x: left, y: y - 20, width: right - left, height: 26 }),
    svg("line", { x1: from, y1: y, x2: to + point * 7, y2: y }),
    svg("path", { class: "head", d: "M" + to + " " + y + "l" + point * 9 + " -4.5v9z" }),
    svg("text", { x: middle, y: y - 6, "text-anchor": "middle" }, shown));
  if (cls !== "plain") link.append(padlock(from + (row.from === "client" ? 10 : -18), y - 12));
  return link;
}

function drawLadder() {
  const box = byId("ladder");
  const width = Math.max(300, Math.min(box.clientWidth || 760, 900));
  const left = 34;
  const right = width - 34;
  const rows = ladderRows();
  const shown = rows.slice(0, 400);
  let y = 44;
  const drawn = [];
  const bars = [];
  const keys = { client: ["plaintext", 30], server: ["plaintext", 30] };
  const bar = (side, to) => {
    const [epoch, from] = keys[side];
    bars.push(svg("rect", { class: "life " + epochClass(epoch), x: (side === "client" ? left : right) - 3, y: from, width: 6, height: Math.max(0, to - from) }));
  };
  for (const row of shown) {
    if (row.kind === "message" || row.kind === "record") {
      y += 30;
      drawn.push(ladderArrow(row, y, left, right));
      continue;
    }
    y += 22;
    const end = row.from === "client";
    if (row.kind === "turn") {
      bar(row.from, y - 4);
      keys[row.from] = [row.epoch, y - 4];
    }
    drawn.push(svg("text", { class: row.kind + " " + epochClass(row.epoch), x: end ? left + 10 : right - 10, y: y + 2, "text-anchor": end ? "start" : "end" }, (row.kind === "end" ? "✕ " : "") + row.text));
  }
  y += 24;
  bar("client", y);
  bar("server", y);
  const name = (side, x, anchor) => svg("text", { class: "side", x: x, y: 20, "text-anchor": anchor }, side);
  box.replaceChildren(svg("svg", { viewBox: "0 0 " + width + " " + (y + 8), width: width, height: y + 8, role: "img", "aria-label": "Ladder diagram: " + plural(rec.messages.length, "message") },
    bars, name("client", left - 24, "start"), name("server", right + 24, "end"), drawn), ladderLegend(shown));
  if (rows.length > shown.length) box.append(el("p", { class: "small" }, rows.length - shown.length + " more rows are not drawn; their records are below."));
}

function ladderLegend(rows) {
  const seen = [...new Set(rows.filter((r) => r.epoch).map((r) => epochClass(r.epoch)))];
  const words = { plain: "in the clear: anybody on the way can read it", early: "early data keys", hand: "handshake keys", app: "application keys", closed: "encrypted, and not opened here" };
  return el("p", { class: "legend small" }, seen.map((c) => [pill(c, words[c]), " "]));
}
