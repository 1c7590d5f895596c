// Computing a step of the key schedule anew.

function secretOf(k) {
  if (k.output) return unhex(k.output);
  throw new Missing(k.name + (rec.has_secrets ? " is not in this recording" : " was left out of this page; write it with --secrets"));
}

// What went in, as it stands in the step; it must be what came out of the step that it names.
function inputOf(k) {
  const named = (k.from || []).map((id) => rec.keys[id]).filter(Boolean);
  if (k.input) {
    const known = named.filter((n) => n.output);
    if (known.length === named.length && named.length && !known.some((n) => n.output === k.input)) {
      throw new Error("its input is none of the results it names");
    }
    return unhex(k.input);
  }
  const from = named.find((n) => n.output && n.output !== k.context);
  if (from) return unhex(from.output);
  if (k.how === "HKDF-Extract" && rec.has_secrets && k.output && !named.some((n) => ["psk", "shared_secret"].includes(n.name))) return new Uint8Array(hashBytes());
  throw new Missing((named.length ? named.map((n) => n.name).join(", ") : "its input") + (rec.has_secrets ? " is not in this recording" : " was left out of this page; write it with --secrets"));
}

// The context: a transcript hash is computed from the messages in the page.
async function contextOf(k) {
  if (k.up_to < 0) return unhex(k.context);
  const seen = hexOf(await transcript(rec.messages[k.up_to]));
  if (k.context && k.context !== seen) throw new Error("the transcript hash up to " + rec.messages[k.up_to].type + " is " + seen + ", not " + k.context);
  return unhex(seen);
}

async function derive(k) {
  switch (k.how) {
    case "given": return { state: "given", text: "it comes from outside" };
    case "ECDH": return { state: "given", text: "the private keys are in no recording" };
    case "part": return derivePart(k);
  }
  const want = secretOf(k);
  const input = inputOf(k);
  let got;
  if (k.how === "HKDF-Extract") {
    got = await extract(unhex(k.context), input.length ? input : new Uint8Array(hashBytes()));
  } else if (k.how === "PRF") {
    got = await prf(input, k.label, await contextOf(k), k.length);
  } else {
    got = await expandLabel(input, k.label, await contextOf(k), k.length);
  }
  return compare(got, want, k.name);
}

// The parts of a key block follow each other in the order in which they are listed.
function derivePart(k) {
  const whole = rec.keys[(k.from || [])[0]];
  if (!whole) throw new Cannot("it does not say what it is a part of");
  const want = secretOf(k);
  const block = secretOf(whole);
  let at = 0;
  for (const other of rec.keys) {
    if (other.id < k.id && other.how === "part" && other.from[0] === whole.id) at += other.length;
  }
  return compare(block.slice(at, at + k.length), want, "bytes " + at + " to " + (at + k.length - 1) + " of " + whole.name + ":");
}
