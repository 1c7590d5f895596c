// The steps of the key schedule in words, and verdicts on steps and checks.

const verdicts = new Map(); // by id of the step or check: {state, text}
const signs = { agrees: "✓", differs: "✗", missing: "?", cannot: "–", given: "·" };

function markBox(id, v) {
  const box = byId("b" + id);
  if (!box) return;
  for (const state of Object.keys(signs)) box.classList.toggle("is-" + state, state === v.state);
  const mark = box.querySelector(".mark");
  if (mark) mark.textContent = v.state === "given" ? "" : signs[v.state];
}

function verdictText(v) {
  const words = { agrees: "agrees", differs: "DIFFERS", missing: "a secret is missing", cannot: "this browser cannot", given: "nothing to compute" };
  return signs[v.state] + " " + words[v.state] + (v.text ? ": " + v.text : "");
}

function showVerdict(id, v) {
  verdicts.set(id, v);
  for (const out of document.querySelectorAll('output[data-for="' + id + '"]')) {
    out.textContent = verdictText(v);
    out.className = "verdict is-" + v.state;
  }
  const node = byId(id);
  if (node) {
    node.dataset.verdict = v.state;
    const mark = node.querySelector("summary .mark");
    if (mark) mark.textContent = signs[v.state];
  }
  if (id[0] === "k") markBox(id.slice(1), v);
}

// The button that computes something here, and where its verdict goes.
function computeButton(id, compute) {
  const v = verdicts.get(id);
  const out = el("output", { class: "verdict" + (v ? " is-" + v.state : ""), "data-for": id, "aria-live": "polite" }, v ? verdictText(v) : "");
  return el("p", { class: "compute" }, el("button", { type: "button", click: async () => showVerdict(id, await judge(compute)) }, "Compute it here"), " ", out);
}

function formula(k) {
  const ins = (k.from || []).map(keyLink).filter(Boolean).flatMap((a, i) => (i ? [", ", a] : [a]));
  const first = ins.length ? ins : [el("em", {}, "nothing from here")];
  const context = k.up_to >= 0 && rec.messages[k.up_to] ? ["hash of ClientHello … ", messageLink(k.up_to)] : k.context && k.how !== "HKDF-Extract" ? [el("code", {}, short(k.context, 64))] : "";
  switch (k.how) {
    case "HKDF-Extract": return ["HKDF-Extract(salt, input) of ", first];
    case "Derive-Secret":
    case "HKDF-Expand-Label": return ["HKDF-Expand-Label(", first, ", “tls13 " + (k.label || "") + "”, ", context || "“”", ", " + k.length + ")"];
    case "PRF": return ["PRF(", first, ", “" + (k.label || "") + "”, ", context || "seed", ")[0.." + (k.length - 1) + "]"];
    case "part": return ["A piece of ", first, ", " + plural(k.length, "byte")];
    case "ECDH": return ["The key exchange: one side's private key with the other's public key"];
  }
  return ["Given: it comes from a key log, a ticket of a former connection, or from outside"];
}

function hexLine(name, hex, length) {
  const none = rec.has_secrets ? "not in this recording" : "left out: this page was written without secrets";
  return [el("dt", {}, name), el("dd", {}, hex ? el("code", {}, hex) : el("span", { class: "small" }, none + (length ? " (" + plural(length, "byte") + ")" : "")))];
}

function stepBody(k) {
  const fed = (k.fed || []).map(fieldLink).filter(Boolean).map((a) => el("li", {}, a));
  return [
    el("p", { class: "formula" }, formula(k)),
    el("dl", {},
      k.how === "HKDF-Extract" ? hexLine("Salt", k.context) : k.context ? hexLine(k.how === "PRF" ? "Seed" : "Context", k.context) : null,
      k.how !== "given" && k.how !== "ECDH" ? hexLine(k.how === "HKDF-Extract" ? "Input keying material" : "Secret", k.input) : null,
      hexLine("Result", k.output, k.length)),
    fed.length ? [el("p", { class: "small" }, "From the conversation:"), el("ul", {}, fed)] : null,
    el("p", { class: "small" }, k.section || "", k.agrees ? " · tlswright computed it and found it right." : ""),
    computeButton("k" + k.id, () => derive(k)),
  ];
}

function drawSteps() {
  for (const k of rec.keys) {
    const node = fold({ class: "item step " + epochClass(k.epoch || "none"), id: "k" + k.id }, [
      el("span", { class: "mark" }, ""), el("span", { class: "what" }, k.name), el("span", { class: "small" }, boxHow(k) + (k.side ? ", " + k.side : "") + (k.epoch ? ", " + k.epoch : "")),
    ], () => stepBody(k));
    node.words = () => [k.name, k.how, k.label, k.section, k.epoch];
    node.hex = () => [k.output, k.input, k.context].join(" ");
    byId("steps").append(node);
  }
}
