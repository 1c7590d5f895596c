// The list of checks, and computing all of it.

// A binder covers the ClientHello up to itself (RFC 8446, Section 4.2.11.2).
async function checkBinder(c) {
  const m = rec.messages[c.message];
  const binders = (m.fields || []).filter((f) => /(^|[.])binders?(\[|$)/.test(f.path));
  if (!binders.length) throw new Cannot("there is no binder in that message");
  const before = transcriptMessages(m, true);
  const cut = { raw: m.raw.slice(0, 2 * binders[0].offset) };
  const hash = await digest(await joined([...before, cut]));
  const named = (c.keys || []).map((id) => rec.keys[id]).filter((k) => k && k.label === "finished");
  const keys = named.length ? named : rec.keys.filter((k) => k.label === "finished" && k.name.startsWith("binder_key"));
  if (!keys.length) throw new Missing("the binder key is not in this recording");
  return compare(await hmac(secretOf(keys[keys.length - 1]), hash), c.got || "", "binder");
}

// The bytes of those fields of a message whose path fits, length prefixes left out.
function valuesOf(m, pattern) {
  return (m.fields || []).filter((f) => f.kind !== "length" && pattern.test(f.path)).map((f) => m.raw.slice(2 * f.offset, 2 * (f.offset + f.length)));
}

// A server that could do more than was agreed on says so in its random (RFC 8446, Section 4.1.3).
function checkSentinel(c) {
  const m = rec.messages[c.message] || rec.messages.find((o) => typeOf(o) === 2 && !isRetry(o));
  if (!m) throw new Cannot("there is no ServerHello");
  const end = hexOf(randomOf(m)).slice(48);
  const marked = end === "444f574e47524401" || end === "444f574e47524400";
  const offered = rec.messages.some((o) => typeOf(o) === 1 && valuesOf(o, /supported_versions/).includes("0304"));
  const right = !marked || (page.old && !offered);
  return { state: right ? "agrees" : "differs", text: "the random ends in " + end + (marked ? ": DOWNGRD" : ", which is no mark") };
}

async function checkTranscript(c) {
  const m = rec.messages[c.message];
  if (!m || !c.got) throw new Cannot("no transcript hash is recorded");
  return compare(await transcript(m), c.got, "transcript up to " + m.type + ":");
}

// What stands for the first ClientHello after a HelloRetryRequest.
async function checkMessageHash(c) {
  const hash = await digest(unhex(rec.messages[c.message].raw));
  return compare(concat(Uint8Array.of(254, 0, 0, hash.length), hash), c.expected, "message_hash");
}

// What the server chose must be among what the client offered; what it sends back, what the client sent.
const offers = {
  "cipher suite": [/^cipher_suite$/, /^cipher_suites/],
  version: [/supported_versions\.|^legacy_version$/, /supported_versions\.|^legacy_version$/],
  "key share": [/key_share.*group/, /key_share.*group/],
  "session id": [/^legacy_session_id(_echo)?$/, /^(legacy_)?session_id$/],
};

function checkOffered(c) {
  const m = rec.messages[c.message];
  const hello = rec.messages.filter((o) => typeOf(o) === 1 && o.id < m.id).pop();
  if (!hello || !offers[c.name]) throw new Cannot("there is no ClientHello before it");
  const [chosen, offered] = [valuesOf(m, offers[c.name][0]), valuesOf(hello, offers[c.name][1])];
  const one = chosen[chosen.length - 1] || "";
  const ok = one === "" ? !offered.length : offered.includes(one);
  return { state: ok ? "agrees" : "differs", text: (one || "nothing") + (ok ? " is" : " is not") + " among " + (offered.map((o) => short(o, 32)).join(" ") || "nothing") };
}

// All steps of the key schedule, computed one by one.
async function checkSchedule() {
  const bad = [];
  let done = 0;
  for (const k of rec.keys) {
    const v = await judge(() => derive(k));
    if (v.state === "missing") throw new Missing(v.text);
    if (v.state === "agrees") done += 1;
    if (v.state === "differs") bad.push(k.name);
  }
  return bad.length ? { state: "differs", text: bad.join(", ") } : { state: "agrees", text: plural(done, "step") + " computed here, the others come from outside" };
}

const recipes = { finished: checkFinished, signature: checkSignature, tags: checkTags, nonces: checkNonces, binder: checkBinder, sentinel: checkSentinel, transcript: checkTranscript, message_hash: checkMessageHash, offered: checkOffered, schedule: checkSchedule };

// A check that found something wrong agrees when the page finds the same.
async function computeCheck(c) {
  const recipe = (page.recipes || [])[c.id] || {};
  const run = recipes[recipe.kind];
  if (!run) return { state: "given", text: recipe.why || "the page has no recipe for it" };
  const v = await run(c);
  if (c.result === "wrong") {
    if (v.state === "differs") return { state: "agrees", text: "it is wrong here, too: " + v.text };
    if (v.state === "agrees") return { state: "differs", text: "it is right here: " + v.text };
  }
  return v;
}

function checkBody(c) {
  const value = (name, hex) => (hex ? [el("dt", {}, name), el("dd", {}, el("code", {}, hex))] : null);
  const links = [c.message >= 0 && messageLink(c.message), ...(c.keys || []).map(keyLink), ...(c.records || []).slice(0, 20).map((id) => link("r" + id, "record #" + id))].filter(Boolean);
  return [
    el("p", {}, c.text), el("dl", {}, value("Expected", c.expected), value("Got", c.got)),
    links.length ? el("p", { class: "small" }, "About: ", links.flatMap((a, i) => (i ? [", ", a] : [a]))) : null,
    el("p", { class: "small" }, c.section || ""), computeButton("c" + c.id, () => computeCheck(c)),
  ];
}

function drawChecks() {
  const list = byId("check-list");
  if (!rec.checks.length) list.append(el("p", {}, "Nothing could be checked."));
  for (const c of rec.checks) {
    const cls = { right: "right", wrong: "wrong" }[c.result] || "open";
    const node = fold({ class: "item check " + cls, id: "c" + c.id }, [
      el("span", { class: "result" }, c.result), el("span", { class: "what" }, c.name), el("span", { class: "small" }, c.text), el("span", { class: "mark" }, ""),
    ], () => checkBody(c));
    node.words = () => [c.name, c.text, c.result, c.section];
    node.hex = () => [c.expected, c.got].join(" ");
    list.append(node);
  }
}

// Computes everything; the count goes into the page, for people and for tests.
async function computeAll() {
  const count = { agrees: 0, differs: 0, missing: 0, cannot: 0, given: 0 };
  byId("verdict").textContent = "Computing …";
  const note = (id, v) => {
    showVerdict(id, v);
    count[v.state] += 1;
  };
  for (const k of rec.keys) note("k" + k.id, await judge(() => derive(k)));
  for (const c of rec.checks) note("c" + c.id, await judge(() => computeCheck(c)));
  const computed = count.agrees + count.differs;
  const rest = [[count.missing, "need secrets that are not in this page"], [count.cannot, "this browser cannot"], [count.given, "are nothing to compute here"]].filter((p) => p[0]).map((p) => p[0] + " " + p[1]);
  const line = byId("verdict");
  line.textContent = "Computed here: " + computed + ". " + (count.differs ? count.differs + " DIFFER." : computed ? "All agree." : "Nothing could be computed.") + (rest.length ? " Of the others, " + rest.join(", ") + "." : "");
  line.className = "verdict-line " + (count.differs ? "is-differs" : computed ? "is-agrees" : "is-missing");
  Object.assign(document.documentElement.dataset, Object.fromEntries(Object.entries(count).map(([k, v]) => [k, String(v)])), { computed: "done" });
}
