// Computing a check anew.

// The steps by which a side protects an epoch; there can be two, if a key schedule was begun anew.
function keysFor(side, epoch, last) {
  return rec.keys.filter((k) => k.side === side && k.epoch === epoch && /[ _]/.test(k.name) && k.name.toLowerCase().split(/[ _]/).pop() === last);
}

// A Finished is an HMAC in TLS 1.3 (RFC 8446, Section 4.4.4), output of the PRF in TLS 1.2 (RFC 5246, Section 7.4.9).
async function checkFinished(c) {
  const m = rec.messages[c.message];
  if (!m) throw new Cannot("it does not say which message it is about");
  const got = m.raw.slice(8);
  const before = await transcriptBefore(m);
  if (page.old) {
    const master = rec.keys.find((k) => k.name === "master_secret");
    if (!master) throw new Missing("master_secret");
    return compare(await prf(secretOf(master), m.from + " finished", before, got.length / 2), got, "verify_data");
  }
  const named = (c.keys || []).map((id) => rec.keys[id]).filter((k) => k && k.label === "finished");
  const keys = named.length ? named : keysFor(m.from, m.epoch, "finished");
  if (!keys.length) throw new Missing("the finished key of the " + m.from + " is not in this recording");
  for (const k of keys.slice(0, -1)) {
    const v = compare(await hmac(secretOf(k), before), got, "verify_data");
    if (v.state === "agrees") return v;
  }
  return compare(await hmac(secretOf(keys[keys.length - 1]), before), got, "verify_data");
}

const schemes = {
  "0403": { name: "ECDSA", hash: "SHA-256", curve: "P-256", size: 32 },
  "0503": { name: "ECDSA", hash: "SHA-384", curve: "P-384", size: 48 },
  "0603": { name: "ECDSA", hash: "SHA-512", curve: "P-521", size: 66 },
  "0804": { name: "RSA-PSS", hash: "SHA-256", saltLength: 32 },
  "0805": { name: "RSA-PSS", hash: "SHA-384", saltLength: 48 },
  "0806": { name: "RSA-PSS", hash: "SHA-512", saltLength: 64 },
  "0401": { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  "0501": { name: "RSASSA-PKCS1-v1_5", hash: "SHA-384" },
  "0601": { name: "RSASSA-PKCS1-v1_5", hash: "SHA-512" },
  "0807": { name: "Ed25519" },
};

// The curve that a public key is on, by its object identifier: in TLS 1.2 the scheme does not say.
function curveOf(spki) {
  const curves = { "06082a8648ce3d030107": ["P-256", 32], "06052b81040022": ["P-384", 48], "06052b81040023": ["P-521", 66] };
  const oid = Object.keys(curves).find((o) => hexOf(spki.slice(0, 40)).includes(o));
  if (!oid) throw new Cannot("the curve of the key is none it knows");
  return curves[oid];
}

// TLS sends two DER integers, WebCrypto wants them side by side and full length.
function plainECDSA(der, size) {
  const one = (at) => {
    if (der[at] !== 2) throw new Error("the signature is no DER");
    const n = der.slice(at + 2, at + 2 + der[at + 1]);
    const digits = n[0] === 0 && n.length > size ? n.slice(1) : n;
    if (digits.length > size) throw new Error("the signature has a number that is too long");
    return [concat(new Uint8Array(size - digits.length), digits), at + 2 + der[at + 1]];
  };
  const start = der[1] & 128 ? 2 + (der[1] & 127) : 2;
  const [r, next] = one(start);
  return concat(r, one(next)[0]);
}

async function verify(spki, code, signature, content) {
  const scheme = schemes[code];
  if (!scheme) throw new Cannot("signature scheme 0x" + code + " is none of WebCrypto's");
  const algorithm = { name: scheme.name, hash: scheme.hash, saltLength: scheme.saltLength };
  if (scheme.name === "ECDSA") {
    const [curve, size] = curveOf(spki);
    algorithm.namedCurve = curve;
    signature = plainECDSA(signature, size);
  }
  const key = await subtle.importKey("spki", spki, algorithm, false, ["verify"]);
  return subtle.verify(algorithm, key, signature, content);
}

function publicKeyBefore(m) {
  const shown = (page.certificates || []).filter((c) => c.index === 0 && c.message < m.id && rec.messages[c.message].from === m.from);
  const c = shown[shown.length - 1];
  if (!c || !c.key_length) throw new Cannot("there is no certificate that it can read (a compressed one it cannot)");
  return unhex(rec.messages[c.message].raw).slice(c.key_offset, c.key_offset + c.key_length);
}

const randomOf = (m) => unhex(m.raw).slice(6, 38);

// What was signed, the scheme and the signature.
async function signedBy(m) {
  const raw = unhex(m.raw);
  const two = (at) => raw[at] * 256 + raw[at + 1];
  if (m.raw.startsWith("0c")) { // ServerKeyExchange (RFC 8422, Section 5.4)
    const end = 8 + raw[7];
    const hellos = ["01", "02"].map((t) => rec.messages.filter((o) => o.raw.startsWith(t) && o.id < m.id).pop());
    return { content: concat(randomOf(hellos[0]), randomOf(hellos[1]), raw.slice(4, end)), code: m.raw.slice(2 * end, 2 * end + 4), signature: raw.slice(end + 4, end + 4 + two(end + 2)) };
  }
  const out = { code: m.raw.slice(8, 12), signature: raw.slice(8, 8 + two(6)) };
  if (page.old) { // all messages, not their hash (RFC 5246, Section 7.4.8)
    out.content = await joined(transcriptMessages(m, true));
  } else { // RFC 8446, Section 4.4.3
    const words = "TLS 1.3, " + m.from + " CertificateVerify";
    out.content = concat(new Uint8Array(64).fill(32), ascii(words), new Uint8Array(1), await transcriptBefore(m));
  }
  return out;
}

async function checkSignature(c) {
  const m = rec.messages[c.message];
  const s = await signedBy(m);
  const ok = await verify(publicKeyBefore(m), s.code, s.signature, s.content);
  return ok ? { state: "agrees", text: "the signature over " + plural(s.content.length, "byte") + " fits the key of the certificate" } : { state: "differs", text: "the signature does not fit the key of the certificate" };
}

function numberBytes(n) {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(n || 0));
  return out;
}

// The nonce of a record: the IV with the number mixed in, or with what the record carries (RFC 5288, Section 3).
function nonceOf(iv, r) {
  if (page.old && page.cipher !== "ChaCha20-Poly1305") return concat(iv.slice(0, 4), unhex(r.raw.slice(10, 26)));
  const nonce = iv.slice();
  numberBytes(r.sequence).forEach((b, i) => { nonce[4 + i] ^= b; });
  return nonce;
}

async function openRecord(r, key, iv) {
  const raw = unhex(r.raw);
  const explicit = page.old && page.cipher !== "ChaCha20-Poly1305" ? 8 : 0;
  const length = raw.length - 5 - explicit - page.tag_bytes;
  const additional = page.old ? concat(numberBytes(r.sequence), raw.slice(0, 3), Uint8Array.of(length >> 8, length & 255)) : raw.slice(0, 5);
  const k = await subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
  return new Uint8Array(await subtle.decrypt({ name: "AES-GCM", iv: nonceOf(iv, r), additionalData: additional, tagLength: 128 }, k, raw.slice(5 + explicit)));
}

// The pairs of key and IV under which a record could have been written.
function protections(r) {
  const keys = keysFor(r.from, r.epoch, "key");
  const ivs = keysFor(r.from, r.epoch, "iv");
  if (!keys.length || !ivs.length) throw new Missing("the keys of the " + r.from + " (" + r.epoch + ") are not in this recording");
  return keys.map((k, i) => [secretOf(k), secretOf(ivs[Math.min(i, ivs.length - 1)])]);
}

async function tagFits(r) {
  for (const [key, iv] of protections(r)) {
    let inner;
    try {
      inner = hexOf(await openRecord(r, key, iv));
    } catch (e) {
      if (e.name !== "OperationError") throw e;
      continue;
    }
    return !r.content || inner.startsWith(r.content);
  }
  return false;
}

async function checkTags(c) {
  const records = (c.records && c.records.length ? c.records.map((id) => rec.records[id]) : rec.records.filter((r) => r.opened)).filter(Boolean);
  if (!records.length) throw new Missing("no record was opened");
  if (page.cipher !== "AES-GCM") throw new Cannot("WebCrypto has no " + (page.cipher || "cipher of that name"));
  const wrong = [];
  for (const r of records) if (!(await tagFits(r))) wrong.push("#" + r.id);
  return wrong.length ? { state: "differs", text: "the tag does not fit: records " + wrong.join(", ") } : { state: "agrees", text: plural(records.length, "record") + " decrypted, every tag fits" };
}

function checkNonces(c) {
  const records = (c.records && c.records.length ? c.records.map((id) => rec.records[id]) : rec.records).filter((r) => r && r.opened);
  const known = records.filter((r) => r.nonce);
  if (!known.length) throw new Missing("the nonces " + (rec.has_secrets ? "are not in this recording" : "were left out of this page; write it with --secrets"));
  const wrong = known.filter((r) => !protections(r).some((p) => hexOf(nonceOf(p[1], r)) === r.nonce));
  return wrong.length ? { state: "differs", text: "records " + wrong.map((r) => "#" + r.id).join(", ") } : { state: "agrees", text: plural(known.length, "nonce") + ", each as IV and number give it" };
}
