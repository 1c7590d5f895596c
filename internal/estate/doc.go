// Package estate runs what one file describes: the CA with ACME, OCSP and CRLs, the
// gateway, the monitor with its dashboard. It is the one package that knows all
// services, and where they are put together; `ca serve`, `gateway run`, `monitor run`
// and `up` are ways to ask for it.
//
// It does NOT know flags, colours or exit codes, and it decides nothing about TLS or
// certificates. The services reach each other as they would on different machines:
// through files, the records of the CA, and HTTP.
package estate
