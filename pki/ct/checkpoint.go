package ct

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// Bounds on a checkpoint.
const (
	maxCheckpoint = 64 << 10 // bytes
	maxSignatures = 64
)

var errCheckpoint = errors.New("not the form of a checkpoint")

// Origin is how a tiled log calls itself in its checkpoints: the URL where it takes
// submissions, without scheme and without a slash at its end.
func Origin(submission string) string {
	_, rest, ok := strings.Cut(submission, "://")
	if !ok {
		rest = submission
	}
	return strings.TrimSuffix(rest, "/")
}

// checkpointKey is the identifier of a log's key in a signed note, of the type for
// tree heads of RFC 6962.
func checkpointKey(origin string, id [32]byte) [4]byte {
	sum := sha256.Sum256(append([]byte(origin+"\n\x05"), id[:]...))
	return [4]byte(sum[:4])
}

// ParseCheckpoint reads the checkpoint of a tiled log: a signed note with origin,
// size and root. It takes the log's own signature out, and leaves others, those of
// witnesses, alone. The signature is not checked: [TreeHead.CheckSignature] does.
func ParseCheckpoint(data []byte, origin string, id [32]byte) (TreeHead, error) {
	if len(data) > maxCheckpoint {
		return TreeHead{}, errCheckpoint
	}
	text, signatures, ok := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(text), "\n")
	if !ok || len(lines) < 3 {
		return TreeHead{}, errCheckpoint
	}
	if lines[0] != origin {
		return TreeHead{}, errors.New("the checkpoint of another log")
	}
	if len(lines) > 3 {
		// What the log's signature of this type covers is the tree head alone.
		return TreeHead{}, errors.New("a checkpoint with lines that nobody has signed")
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return TreeHead{}, errCheckpoint
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != sha256.Size {
		return TreeHead{}, errCheckpoint
	}
	h := TreeHead{Size: size, Root: [32]byte(root)}
	return h, h.takeSignature(string(signatures), origin, checkpointKey(origin, id))
}

// takeSignature finds the signature of the key among the lines of a note.
func (h *TreeHead) takeSignature(lines, origin string, key [4]byte) error {
	body, ended := strings.CutSuffix(lines, "\n")
	all := strings.Split(body, "\n")
	if !ended || len(all) > maxSignatures {
		return errCheckpoint
	}
	found := false
	for _, line := range all {
		name, text, ok := strings.Cut(strings.TrimPrefix(line, "— "), " ")
		if !ok || !strings.HasPrefix(line, "— ") {
			return errCheckpoint
		}
		signature, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(signature) < 5 {
			return errCheckpoint
		}
		if name != origin || !bytes.HasPrefix(signature, key[:]) {
			continue
		}
		in := cryptobyte.String(signature[4:])
		if found || !in.ReadUint64(&h.Timestamp) {
			return errCheckpoint
		}
		if err := h.SetSignature(in); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return errors.New("a checkpoint without the log's signature")
	}
	return nil
}

// AppendCheckpoint appends the signed tree head as a checkpoint, for logs of our
// own.
func (h TreeHead) AppendCheckpoint(to []byte, origin string, key crypto.PublicKey) ([]byte, error) {
	id, err := LogID(key)
	if err != nil {
		return nil, err
	}
	name := checkpointKey(origin, id)
	b := cryptobyte.NewBuilder(name[:])
	b.AddUint64(h.Timestamp)
	b.AddBytes(h.AppendSignature(nil))
	signature, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(to, "%s\n%d\n%s\n\n— %s %s\n", origin, h.Size, base64.StdEncoding.EncodeToString(h.Root[:]), origin,
		base64.StdEncoding.EncodeToString(signature)), nil
}

// AppendSignature appends the signature as [TreeHead.SetSignature] reads it. It has
// at most 65535 bytes.
func (h TreeHead) AppendSignature(to []byte) []byte {
	to = append(to, h.Hash, h.Algorithm, byte(len(h.Signature)>>8), byte(len(h.Signature)))
	return append(to, h.Signature...)
}

// SetSignature reads a digitally-signed structure, as logs return it for a
// submission.
func (s *SCT) SetSignature(data []byte) error {
	var h TreeHead
	if err := h.SetSignature(data); err != nil {
		return err
	}
	s.Hash, s.Algorithm, s.Signature = h.Hash, h.Algorithm, h.Signature
	return nil
}
