// The list of records and messages.

const firstRecords = 300; // of many, until asked for more

const arrow = (from) => el("span", { class: "who " + from }, from === "client" ? "client → server" : "client ← server");
const pill = (cls, text) => el("span", { class: "pill " + cls }, text);

function recordName(r) {
  const names = (r.messages || []).map((id) => rec.messages[id] && rec.messages[id].type).filter(Boolean);
  if (names.length) return names.join(", ");
  const alert = (r.inside || []).map((f) => f.value).filter(Boolean).join(" ");
  if ((r.inner_type || r.type) === "alert" && alert) return "alert: " + alert;
  return r.inner_type || r.type;
}

function recordBody(r) {
  const facts = ["Record #" + r.id + " of the " + r.from + ", " + plural(r.raw.length / 2, "byte") + " from byte " + r.offset + " of its stream on."];
  if (r.opened) {
    facts.push(" Opened as number " + (r.sequence || 0) + " under its " + epochWords(r.epoch) + (r.nonce ? ", with the nonce " + r.nonce : "") + ".");
  }
  const out = [el("p", {}, facts), r.problem && el("p", { class: "bad" }, r.problem), bytesView(r.raw, r.fields, "r" + r.id)];
  if (!r.opened) return out;
  out.push(el("h4", {}, "Inside: " + (r.inner_type || r.type) + ", " + plural(r.content_length, "byte") + (r.padding ? " and " + r.padding + " of padding" : "")));
  const within = (r.messages || []).map((id) => el("li", {}, messageLink(id)));
  if (within.length) out.push(el("ul", {}, within));
  else if (r.content) out.push(bytesView(r.content, r.inside, "i" + r.id));
  else if (r.content_length) out.push(el("p", { class: "small" }, "The content was left out: the page was written without secrets."));
  return out;
}

function recordCard(r) {
  const node = fold({ class: "item record " + epochClass(r.epoch), id: "r" + r.id }, [
    arrow(r.from), el("span", { class: "what" }, "record #" + r.id + ": " + recordName(r)),
    pill(epochClass(r.epoch), epochWords(r.epoch)), el("span", { class: "small" }, plural(r.raw.length / 2, "byte") + ", " + millis(r.at_ns)),
  ], () => recordBody(r));
  node.words = () => [recordName(r), r.type, r.epoch, r.problem, words(r.fields), words(r.inside)];
  node.hex = () => r.raw + " " + (r.content || "");
  return node;
}

const words = (fields) => (fields || []).map((f) => f.path + " " + (f.value || "") + " " + (f.meaning || ""));

function certificateView(c) {
  const row = (name, value) => value && value.length && [el("dt", {}, name), el("dd", {}, Array.isArray(value) ? value.join(", ") : value)];
  return el("div", { class: "certificate" }, el("h4", {}, (c.index === 0 ? "Certificate of the " + rec.messages[c.message].from : "Certificate " + (c.index + 1) + " of the chain") + (c.ca ? " (a CA)" : "")),
    c.problem ? el("p", { class: "bad" }, "Cannot be read: " + c.problem) : null,
    el("dl", {}, row("Subject", c.subject), row("Issued by", c.issuer), row("Names", c.names), c.not_before && row("Good", c.not_before + " to " + c.not_after + " UTC"),
      row("Key", c.key), row("Signed with", c.signed_with), row("Serial", c.serial), row("SHA-256", c.fingerprint)));
}

function messageBody(m) {
  const spans = (m.spans || []).map((s) => [link("r" + s.record, "record #" + s.record), " from byte " + s.offset + " on, " + plural(s.length, "byte") + "; "]);
  return [
    el("p", {}, m.meaning || "", " ", el("span", { class: "section" }, m.section || "")),
    el("p", { class: "small" }, "It lies in ", spans, epochWords(m.epoch) + "."),
    (page.certificates || []).filter((c) => c.message === m.id).map(certificateView),
    bytesView(m.raw, m.fields, "m" + m.id),
    m.transcript && el("p", { class: "small" }, "Transcript hash up to here: ", el("code", {}, m.transcript)),
  ];
}

function messageCard(m) {
  const node = fold({ class: "item message " + epochClass(m.epoch), id: "m" + m.id }, [
    arrow(m.from), el("strong", { class: "what" }, m.type), pill(epochClass(m.epoch), epochWords(m.epoch)),
    el("span", { class: "small" }, "#" + m.id + ", " + plural(m.raw.length / 2, "byte")),
  ], () => messageBody(m));
  node.words = () => [m.type, m.meaning, m.section, m.epoch, words(m.fields),
    (page.certificates || []).filter((c) => c.message === m.id).map((c) => [c.subject, c.issuer, c.names, c.key])];
  node.hex = () => m.raw + " " + (m.transcript || "");
  return node;
}

// Records in the order of time, each with the messages that end in it.
function drawFlow() {
  const flow = byId("flow");
  const ends = new Map();
  for (const m of rec.messages) {
    const last = m.spans && m.spans.length ? m.spans[m.spans.length - 1].record : -1;
    ends.set(last, (ends.get(last) || []).concat(m));
  }
  const draw = (from, to) => {
    for (const r of rec.records.slice(from, to)) flow.append(recordCard(r), ...(ends.get(r.id) || []).map(messageCard));
    const left = rec.records.length - to;
    if (left > 0) {
      const more = el("button", { type: "button", click: () => { more.remove(); draw(to, to + firstRecords); } }, "Show " + Math.min(left, firstRecords) + " of " + left + " more records");
      flow.append(more);
    }
  };
  if (!rec.records.length) flow.append(...rec.messages.map(messageCard));
  draw(0, firstRecords);
  for (const r of rec.rest || []) {
    flow.append(fold({ class: "item record closed" }, [arrow(r.from), el("span", { class: "what" }, "no record: " + r.why), el("span", { class: "small" }, plural(r.raw.length / 2, "byte"))],
      () => [el("p", {}, "From byte " + r.offset + " of the stream on."), bytesView(r.raw, [])]));
  }
}
