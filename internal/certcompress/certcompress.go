// Package certcompress compresses Certificate messages and takes them out again (RFC 8879): zlib, brotli and zstd. It
// knows the formats and the bounds on what they may make of a few bytes; it knows neither messages nor who may compress
// what.
package certcompress

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/tlswright/tlswright/wire"
)

// All lists the algorithms, best first: for chains brotli is the smallest, and zstd the fastest to take out.
func All() []wire.CompressionAlgorithm {
	return []wire.CompressionAlgorithm{wire.CompressionBrotli, wire.CompressionZstd, wire.CompressionZlib}
}

// ErrSize is returned where what comes out is longer or shorter than was declared.
var ErrSize = errors.New("certcompress: the length is not the one declared")

// ErrWindow is returned for data that asks for more memory than a certificate can need.
var ErrWindow = errors.New("certcompress: the window is larger than needed")

// ErrTrailing is returned for data with something behind its end.
var ErrTrailing = errors.New("certcompress: there is more behind the end")

// maxWindowBits bounds the memory that brotli takes, to 4 MiB: its encoders' default, whatever the size of the input.
const maxWindowBits = 22

// Compress appends data, compressed. An algorithm that is not one of All gives nil.
func Compress(a wire.CompressionAlgorithm, out, data []byte) []byte {
	b := bytes.NewBuffer(out)
	var w io.WriteCloser
	switch a {
	case wire.CompressionZlib:
		w, _ = zlib.NewWriterLevel(b, zlib.BestCompression) // the level exists
	case wire.CompressionBrotli:
		w = brotli.NewWriterLevel(b, brotli.BestCompression)
	case wire.CompressionZstd:
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression))
		if err != nil {
			return nil
		}
		defer e.Close()
		return e.EncodeAll(data, out)
	default:
		return nil
	}
	if _, err := w.Write(data); err != nil {
		return nil
	}
	if err := w.Close(); err != nil {
		return nil
	}
	return b.Bytes()
}

// Decompress fills out, which must be what data decompresses to, to the byte. Whatever is in data, no more than out is
// written, and the memory beside it is bounded: 32 KiB for zlib, 4 MiB for brotli, about the size of out for zstd.
func Decompress(a wire.CompressionAlgorithm, out, data []byte) error {
	switch a {
	case wire.CompressionZlib:
		in := bytes.NewReader(data) // which zlib reads byte by byte, and no further than it must
		r, err := zlib.NewReader(in)
		if err != nil {
			return err
		}
		if err := fill(out, r); err != nil {
			return err
		}
		if in.Len() > 0 {
			return ErrTrailing
		}
		return nil
	case wire.CompressionBrotli:
		if windowBits(data) > maxWindowBits {
			return ErrWindow
		}
		return fill(out, brotli.NewReader(bytes.NewReader(data)))
	case wire.CompressionZstd:
		return unzstd(out, data)
	}
	return errors.New("certcompress: unknown algorithm")
}

// fill reads exactly len(out) bytes, to the end of r.
func fill(out []byte, r io.Reader) error {
	if _, err := io.ReadFull(r, out); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return ErrSize
		}
		return err
	}
	var more [1]byte
	switch n, err := io.ReadFull(r, more[:]); {
	case n > 0:
		return ErrSize
	case err != io.EOF:
		return err // the checksum, or what is cut off behind the last byte
	}
	return nil
}

// maxZstdWindow is the largest window that is taken (RFC 8878, Section 3.1.1.1.2: 8 MB is to be supported). Nothing is
// allocated for it: what comes out is its own window.
const maxZstdWindow = 8 << 20

func unzstd(out, data []byte) error {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
	if err != nil {
		return err
	}
	defer d.Close()
	got, err := d.DecodeAll(data, make([]byte, 0, len(out)))
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || err == nil && len(got) != len(out) {
		return ErrSize
	}
	copy(out, got)
	return err
}

// windowBits reads the size of the window out of the first byte (RFC 7932, Section 9.1); a form that is not allowed counts
// as too large.
func windowBits(data []byte) int {
	if len(data) == 0 {
		return 0
	}
	b := data[0]
	switch {
	case b&1 == 0:
		return 16
	case b>>1&7 != 0:
		return 17 + int(b>>1&7)
	case b>>4&7 == 0:
		return 17
	case b>>4&7 == 1:
		return maxWindowBits + 1
	}
	return 8 + int(b>>4&7)
}
