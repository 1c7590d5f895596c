// Package access decides who may: rules about the identity in a client's certificate, and about the request, in;
// a decision that explains itself out. What no rule allows is denied.
//
// It knows the names in a certificate and how patterns match them. It does NOT know whether the certificate is trusted
// or revoked (pki, internal/revoked), nor connections, files or HTTP: callers verify first, and show a subject only then.
package access
