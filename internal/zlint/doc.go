// Package zlint lets zlint, the linter that public CAs use, examine what we are
// about to sign, as far as its requirements make sense for a private CA.
//
// It knows which of zlint's lints are taken, and why the others are not, and
// translates its results into findings. It does NOT know requirements of its own
// (pki/lint has them) and decides nothing.
//
// Taken: all lints on the RFCs (3279, 5280, 5480, 5891, 6960, 8813), those that the
// community wrote from experience, and the few of the Baseline Requirements that are
// about sound keys.
//
// Not taken:
//
//   - CA/Browser Forum Baseline Requirements, the rest: they demand what only a
//     public CA has (registered policies, CRL and issuer URLs, names below a public
//     suffix, an organisation in every CA's name) and forbid what a private CA is for:
//     private addresses, internal names, URI names, Ed25519.
//   - S/MIME, code signing and EV requirements: they ask for policy identifiers of
//     audited CAs.
//   - Mozilla, Apple, Chrome: rules of root programmes, Certificate Transparency
//     among them.
//   - ETSI: qualified certificates of the European Union.
//   - RFC 6962 has lints on precertificates only for logs of public CAs.
//   - Two community lints on names that are public suffixes: "localhost" and
//     "printer" are the daily bread of a private CA.
package zlint
