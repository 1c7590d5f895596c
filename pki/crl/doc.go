// Package crl reads, searches, checks and makes certificate revocation lists
// (RFC 5280, Section 5): full, delta, partitioned and indirect ones.
//
// It knows the list's structure, its extensions and those of its entries, which
// certificate may sign it, and how to find one serial number among a million
// without holding more than the list itself and a small index.
//
// It does NOT know which list answers for which certificate, nor whether the one
// who signed it is trusted: that is RFC 5280, Section 6.3 and lives in package pki.
// It fetches nothing and knows no clock.
package crl
