// Cryptography of the browser, as TLS uses it.

const subtle = globalThis.crypto && globalThis.crypto.subtle;

class Missing extends Error {}
class Cannot extends Error {}

const unhex = (hex) => Uint8Array.from((hex || "").match(/../g) || [], (pair) => parseInt(pair, 16));
const hexOf = (bytes) => Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, "0")).join("");
const ascii = (text) => new TextEncoder().encode(text);

function concat(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

function theHash() {
  if (!page.hash) throw new Cannot("the cipher suite, and so the hash, is not known");
  return page.hash;
}

const hashBytes = () => (theHash() === "SHA-384" ? 48 : 32);
const digest = async (bytes) => new Uint8Array(await subtle.digest(theHash(), bytes));

async function hmac(key, bytes) {
  // A key of no bytes is the same as one of zeros, which WebCrypto does take.
  const k = await subtle.importKey("raw", key.length ? key : new Uint8Array(1), { name: "HMAC", hash: theHash() }, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", k, bytes));
}

// HKDF-Extract is one HMAC (RFC 5869, Section 2.2).
const extract = (salt, input) => hmac(salt, input);

// HKDF-Expand-Label (RFC 8446, Section 7.1).
async function expandLabel(secret, label, context, length) {
  const name = ascii("tls13 " + label);
  const info = concat(Uint8Array.of(length >> 8, length & 255, name.length), name, Uint8Array.of(context.length), context);
  let out = new Uint8Array(0);
  let block = new Uint8Array(0);
  for (let i = 1; out.length < length; i++) {
    block = await hmac(secret, concat(block, info, Uint8Array.of(i)));
    out = concat(out, block);
  }
  return out.slice(0, length);
}

// PRF of TLS 1.2 (RFC 5246, Section 5).
async function prf(secret, label, seed, length) {
  const all = concat(ascii(label), seed);
  let a = all;
  let out = new Uint8Array(0);
  while (out.length < length) {
    a = await hmac(secret, a);
    out = concat(out, await hmac(secret, concat(a, all)));
  }
  return out.slice(0, length);
}

// Runs a computation and says how it went.
async function judge(compute) {
  if (!subtle) return { state: "cannot", text: "it has no WebCrypto for this page" };
  try {
    return await compute();
  } catch (e) {
    if (e instanceof Missing) return { state: "missing", text: e.message };
    if (e instanceof Cannot) return { state: "cannot", text: e.message };
    if (e instanceof DOMException) return { state: "cannot", text: "its WebCrypto refuses (" + e.name + ")" };
    return { state: "differs", text: "the data are not as they should be (" + e.message + ")" };
  }
}

function compare(got, want, what) {
  const a = hexOf(got);
  const b = typeof want === "string" ? want : hexOf(want);
  return a === b ? { state: "agrees", text: what + " " + short(a, 64) } : { state: "differs", text: what + ": computed " + a + ", recorded " + b };
}

const typeOf = (m) => parseInt(m.raw.slice(0, 2), 16);

const retryRandom = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c";
const isRetry = (m) => m.raw.startsWith("02") && m.raw.slice(12, 76) === retryRandom;

// After a HelloRetryRequest a hash takes the place of the first ClientHello (RFC 8446, Section 4.4.1).
async function joined(messages) {
  if (!page.old && messages.length > 1 && isRetry(messages[1])) {
    const first = await digest(unhex(messages[0].raw));
    messages = [{ raw: "fe0000" + first.length.toString(16).padStart(2, "0") + hexOf(first) }, ...messages.slice(1)];
  }
  return unhex(messages.map((m) => m.raw).join(""));
}

// The order of the transcript. It goes by who answers what: a capture can have mixed up the two directions.
function transcriptOrder() {
  const of = (side) => rec.messages.filter((m) => m.from === side && typeOf(m) !== 0);
  const client = of("client");
  const server = of("server");
  const order = [];
  const take = (list, ...until) => {
    while (list.length) {
      const m = list.shift();
      order.push(m);
      if (until.includes(typeOf(m))) return typeOf(m);
    }
    return 0;
  };
  take(client, 1);
  if (server.length && isRetry(server[0])) {
    take(server, 2);
    take(client, 1);
  }
  if (!page.old) {
    if (take(server, 20)) take(client, 20);
  } else if (take(server, 14, 20) === 14) {
    if (take(client, 20)) take(server, 20);
  } else {
    take(client, 20);
  }
  return order;
}

let order = null;

// The messages of the transcript up to one of them; with it, or without.
function transcriptMessages(m, without) {
  order = order || transcriptOrder();
  const at = order.indexOf(m);
  if (at < 0) throw new Cannot(m.type + " #" + m.id + " is not in the transcript of the handshake");
  return order.slice(0, without ? at : at + 1);
}

const transcript = async (m) => digest(await joined(transcriptMessages(m)));
const transcriptBefore = async (m) => digest(await joined(transcriptMessages(m, true)));
