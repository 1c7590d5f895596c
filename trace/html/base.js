// What all other parts use: the data, making elements, and going to places.

const page = JSON.parse(document.getElementById("recording").textContent) || {};
const rec = page.recording || { records: [], messages: [], keys: [], checks: [] };
for (const list of ["records", "messages", "keys", "checks"]) rec[list] = rec[list] || [];

const byId = (id) => document.getElementById(id);

// What a peer said is shown as text, never read as HTML; and what would change the text around it is spelled out.
const strange = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

function printable(text) {
  return String(text).replace(strange, (c) => "\\u{" + c.codePointAt(0).toString(16) + "}");
}

function fill(node, attributes, kids) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, printable(value));
  }
  for (const kid of kids.flat(4)) {
    if (kid === undefined || kid === null || kid === false) continue;
    node.append(kid instanceof Node ? kid : document.createTextNode(printable(kid)));
  }
  return node;
}

const el = (tag, attributes, ...kids) => fill(document.createElement(tag), attributes, kids);
const svg = (tag, attributes, ...kids) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, kids);

const other = (side) => (side === "client" ? "server" : "client");
const plural = (n, word) => n + " " + word + (n === 1 ? "" : "s");
const millis = (ns) => (ns / 1e6).toFixed(ns < 1e7 ? 2 : 1) + " ms";
const short = (hex, most) => (hex.length > most ? hex.slice(0, most) + "…" : hex);

// The class of an epoch says by which keys something is protected.
function epochClass(epoch) {
  const name = (epoch || "plaintext").split("+")[0];
  return { plaintext: "plain", "early data": "early", handshake: "hand", application: "app" }[name] || "closed";
}

function epochWords(epoch) {
  switch (epochClass(epoch)) {
    case "plain": return "in the clear";
    case "closed": return "encrypted, and not opened";
    case "early": return "early data keys";
    case "hand": return "handshake keys";
  }
  const more = (epoch || "").split("+")[1];
  return "application keys" + (more ? ", renewed " + more + "×" : "");
}

// A fold is a details element whose body is made when it is opened first.
function fold(attributes, summary, body) {
  const node = el("details", attributes, el("summary", {}, summary));
  node.build = () => {
    if (!node.built) {
      node.built = true;
      node.append(el("div", { class: "body" }, body()));
    }
  };
  node.addEventListener("toggle", () => { if (node.open) node.build(); });
  return node;
}

function unfold(node) {
  for (let n = node; n; n = n.parentElement) {
    if (n.tagName === "DETAILS") {
      if (n.build) n.build();
      n.open = true;
    }
  }
}

function goTo(id) {
  const node = byId(id);
  if (!node) return;
  unfold(node);
  node.scrollIntoView({ block: "start" });
  const focus = node.tagName === "DETAILS" ? node.querySelector("summary") : node;
  if (focus && focus.focus) focus.focus({ preventScroll: true });
}

function link(id, ...text) {
  return el("a", { href: "#" + id, click: (e) => { e.preventDefault(); goTo(id); } }, text);
}

const messageLink = (id) => rec.messages[id] && link("m" + id, rec.messages[id].type + " #" + id);
const keyLink = (id) => rec.keys[id] && link("k" + id, rec.keys[id].name);

// A link to one field of a message, or to the message if there is no such field.
function fieldLink(ref) {
  const m = rec.messages[ref.message];
  if (!m) return null;
  const at = (m.fields || []).findIndex((f) => f.path === ref.path || f.path.startsWith(ref.path + ".") || f.path.startsWith(ref.path + "["));
  const text = m.type + ": " + ref.path;
  const whole = (m.fields || []).findLastIndex ? m.fields.findLastIndex((f) => f.path === ref.path) : at;
  const best = whole >= 0 ? whole : at;
  if (best < 0) return link("m" + ref.message, text);
  return el("a", { href: "#m" + ref.message, click: (e) => { e.preventDefault(); showField("m" + ref.message, best); } }, text);
}
