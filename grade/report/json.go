package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
)

// Version is that of the JSON document. It changes when a field changes its meaning or goes away; new fields do not
// change it.
const Version = 1

// documentFormat is what a document of ours says it is.
const documentFormat = "tlswright-scan"

// document is the JSON document.
type document struct {
	Format  string   `json:"format"`  // "tlswright-scan"
	Version int      `json:"version"` // Version
	Reports []Report `json:"reports"`
}

// line is one line of JSON lines: a document with one report.
type line struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Report
}

// JSON writes one document with all reports. Strings of peers are in it exactly, with everything escaped that is not
// printable.
func JSON(w io.Writer, reports []Report) error { return Write(w, FormatJSON, reports, Options{}) }

// JSONLine writes one report as one line.
func JSONLine(w io.Writer, r Report) error { return writeJSON(w, line{documentFormat, Version, r}, "") }

// writeJSON encodes v and escapes what encoding/json leaves as it is but a terminal may act upon: DEL, the C1 controls and
// the invisible characters that turn the direction of text. "<", ">" and "&" are escaped as well, so that the document
// may stand in a page. Its meaning is unchanged.
func writeJSON(w io.Writer, v any, indent string) error {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err := w.Write(escapeInvisible(raw.String()))
	return err
}

// writeInDocument writes one report as a part of the list in a document: what stands before it begins with the comma
// behind the last one.
func writeInDocument(w io.Writer, before string, r Report) error {
	raw, err := json.MarshalIndent(r, "    ", "  ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(append([]byte(before+"    "), escapeInvisible(string(raw))...))
	return err
}

func escapeInvisible(raw string) []byte {
	out := make([]byte, 0, len(raw))
	for _, r := range raw {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out = append(out, string(r)...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// Reader reads what JSON or JSON lines wrote, one report after the other.
type Reader struct {
	dec   *json.Decoder
	count int // documents read
	good  int64
	kept  []Report
}

// NewReader reads stored reports from r.
func NewReader(r io.Reader) *Reader { return &Reader{dec: json.NewDecoder(r)} }

// Next returns the next report; at the end, io.EOF. A last line that was not written to its end, as a broken run leaves
// it, gives io.ErrUnexpectedEOF. Other errors say which document is none of ours.
func (r *Reader) Next() (Report, error) {
	for len(r.kept) == 0 {
		var v struct {
			line
			Reports []Report `json:"reports"`
		}
		r.count++
		switch err := r.dec.Decode(&v); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return Report{}, err
		case err != nil:
			return Report{}, fmt.Errorf("report: document %d: %w", r.count, err)
		case v.Format != documentFormat:
			return Report{}, fmt.Errorf("report: document %d is no scan of ours: its format is %q", r.count, v.Format)
		case v.Version != Version:
			return Report{}, fmt.Errorf("report: document %d has version %d, known is %d", r.count, v.Version, Version)
		}
		r.good = r.dec.InputOffset()
		r.kept = v.Reports
		if v.Facts != nil || v.Files != nil {
			r.kept = append(r.kept, v.Report)
		}
	}
	next := r.kept[0]
	r.kept = r.kept[1:]
	return next, nil
}

// Good is how many bytes of the input belong to whole documents, without the line end behind the last one. A run that
// goes on where a broken one ended cuts its file there and writes a line end first.
func (r *Reader) Good() int64 { return r.good }

// Parse reads all reports of a document, or of JSON lines. What a broken run left of its last line is an error.
func Parse(data []byte) ([]Report, error) {
	var reports []Report
	for r := NewReader(bytes.NewReader(data)); ; {
		next, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return reports, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("report: the last document is not whole: %w", err)
		case err != nil:
			return nil, err
		}
		reports = append(reports, next)
	}
}
