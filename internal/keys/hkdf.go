package keys

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
)

const (
	// labelPrefix stands before every label of TLS 1.3 (RFC 8446, Section 7.1).
	labelPrefix = "tls13 "
	// maxLabel is the longest label HkdfLabel can hold besides its prefix.
	maxLabel = 255 - len(labelPrefix)
	// maxHash is the size in bytes of the largest hash a TLS 1.3 cipher suite uses (SHA-384).
	maxHash = sha512.Size384
	// maxInfo is the size of the largest HkdfLabel: length, label and context with their length bytes.
	maxInfo = 2 + 1 + 255 + 1 + 255
	// maxMessage is the longest input of one round of HKDF-Expand: T(n-1), info, counter.
	maxMessage = maxHash + maxInfo + 1
	// usualInfo is room for the HkdfLabel of every secret of RFC 8446, Section 7: less to clear than for any.
	usualInfo = 2 + 1 + 32 + 1 + maxHash
	// usualMessage is maxMessage for those.
	usualMessage = maxHash + usualInfo + 1
)

// hashInto writes the hash of data to out, which must have room for it. For the two hashes of TLS 1.3 it allocates
// nothing, which is why it takes the one-shot functions and not a hash.Hash.
func hashInto(h crypto.Hash, out, data []byte) {
	switch h {
	case crypto.SHA256:
		sum := sha256.Sum256(data)
		copy(out, sum[:])
		clear(sum[:])
	case crypto.SHA384:
		sum := sha512.Sum384(data)
		copy(out, sum[:])
		clear(sum[:])
	default:
		w := h.New()
		w.Write(bytes.Clone(data)) // the copy keeps data itself off the heap in the other cases
		copy(out, w.Sum(nil))
	}
}

// hmacInto writes HMAC(key, msg) to out, which must have room for it and may alias msg.
//
// It is written out here because a schedule is some thirty HMACs over a few dozen bytes each, and crypto/hmac pays
// four to six allocations for each of them. Everything happens in one array on the stack, erased at the end. Long
// inputs (a large external PSK) go to crypto/hmac.
func hmacInto(h crypto.Hash, out, key, msg []byte) {
	block := 0
	switch h {
	case crypto.SHA256:
		block = sha256.BlockSize
	case crypto.SHA384:
		block = sha512.BlockSize
	}
	switch {
	case block == 0 || len(key) > block || len(msg) > maxMessage:
		mac := hmac.New(h.New, bytes.Clone(key))
		mac.Write(bytes.Clone(msg))
		copy(out, mac.Sum(nil))
	case len(msg) <= usualMessage:
		var buf [sha512.BlockSize + usualMessage]byte
		hmacIn(buf[:], h, block, out, key, msg)
	default:
		var buf [sha512.BlockSize + maxMessage]byte
		hmacIn(buf[:], h, block, out, key, msg)
	}
}

// hmacIn is hmacInto in buf, which is empty, has room for a block and the message, and is erased.
func hmacIn(buf []byte, h crypto.Hash, block int, out, key, msg []byte) {
	const ipad, opad = 0x36, 0x5c
	copy(buf, key)
	pad(buf[:block], ipad)
	n := copy(buf[block:], msg)
	inner := buf[block : block+h.Size()]
	hashInto(h, inner, buf[:block+n])
	pad(buf[:block], ipad^opad)
	hashInto(h, out, buf[:block+h.Size()])
	clear(buf)
}

// pad combines each byte of a block, which are a multiple of eight, with x.
func pad(block []byte, x byte) {
	wide := uint64(x) * 0x0101010101010101
	for ; len(block) >= 8; block = block[8:] {
		binary.NativeEndian.PutUint64(block, binary.NativeEndian.Uint64(block)^wide)
	}
}

// extractInto is HKDF-Extract (RFC 5869, Section 2.2): it fills out, one hash long. A nil salt or input stands for a
// string of zeros as long as the hash (RFC 8446, Section 7.1).
func extractInto(h crypto.Hash, out, salt, input []byte) {
	var zeros [64]byte
	if salt == nil {
		salt = zeros[:h.Size()]
	}
	if input == nil {
		input = zeros[:h.Size()]
	}
	hmacInto(h, out, salt, input)
}

// extract is extractInto with memory of its own.
func extract(h crypto.Hash, salt, input []byte) []byte {
	prk := make([]byte, h.Size())
	extractInto(h, prk, salt, input)
	return prk
}

// expandInto is HKDF-Expand (RFC 5869, Section 2.3). It fills out, at most 255 hashes long; info is at most maxInfo
// bytes.
func expandInto(h crypto.Hash, out, secret, info []byte) {
	if len(info) <= usualInfo {
		var msg [64 - maxHash + usualMessage]byte
		expandIn(msg[:], h, out, secret, info)
		return
	}
	var msg [64 - maxHash + maxMessage]byte
	expandIn(msg[:], h, out, secret, info)
}

// expandIn is expandInto in msg, which has room for a hash, info and a byte, and is erased.
func expandIn(msg []byte, h crypto.Hash, out, secret, info []byte) {
	var last [64]byte
	size := h.Size()
	n := 0
	for counter := byte(1); len(out) > 0; counter++ {
		n += copy(msg[n:], info)
		msg[n] = counter
		hmacInto(h, last[:size], secret, msg[:n+1])
		out = out[copy(out, last[:size]):]
		n = copy(msg, last[:size])
	}
	clear(msg)
	clear(last[:])
}

// expandLabelInto is HKDF-Expand-Label: it fills out. The label comes without its "tls13 " prefix and has at most
// maxLabel bytes, the context at most 255.
//
//	struct {
//	    uint16 length = Length;
//	    opaque label<7..255> = "tls13 " + Label;
//	    opaque context<0..255> = Context;
//	} HkdfLabel;
//
// (RFC 8446, Section 7.1)
func expandLabelInto(h crypto.Hash, out, secret []byte, label string, context []byte) {
	var buf [maxInfo]byte
	info := append(buf[:0], byte(len(out)>>8), byte(len(out)))
	info = append(info, byte(len(labelPrefix)+len(label)))
	info = append(info, labelPrefix...)
	info = append(info, label...)
	info = append(info, byte(len(context)))
	info = append(info, context...)
	expandInto(h, out, secret, info)
}
