// Package record protects and unprotects the records of TLS 1.3, and those of TLS 1.2 with an AEAD. A Sealer is one
// direction in one epoch, an Opener the same from the other end; a key change makes new ones.
//
// Neither allocates per record: a Sealer appends to the caller's slice, an Opener decrypts inside it. Both count the
// records and refuse to go on where the sequence number or the key is used up.
//
// The package does not find records in a stream (that is wire.Deframe), does not know what their content means, in
// which epoch they ought to arrive or which alert answers an error, and keeps no bytes between two calls. Neither type
// may be used by two goroutines at once; a Sealer and an Opener have nothing in common.
package record
