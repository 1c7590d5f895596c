package trace

import (
	"strings"
)

// recipe tells the page how to compute a check anew, in a way that has nothing in common with how it was computed here
// but the bytes.
type recipe struct {
	// Kind is "finished", "signature", "tags", "nonces", "binder", "sentinel", "transcript", "message_hash", "offered",
	// "schedule" or "", for what the page does not compute.
	Kind string `json:"kind"`
	// Why is what to say where the page does not compute it.
	Why string `json:"why,omitempty"`
}

// recipesOf gives one recipe for each check.
func recipesOf(r *Recording) []recipe {
	all := make([]recipe, len(r.Checks))
	for i := range r.Checks {
		all[i] = recipeOf(r, &r.Checks[i])
	}
	return all
}

func recipeOf(r *Recording, c *Check) recipe {
	about := ""
	if within(c.Message, len(r.Messages), false) {
		about = r.Messages[c.Message].Type
	}
	switch c.Name {
	case "PSK binder":
		return recipe{Kind: "binder"}
	case "downgrade sentinel":
		return recipe{Kind: "sentinel"}
	case checkNonces:
		return recipe{Kind: "nonces"}
	case checkTags:
		return recipe{Kind: "tags"}
	case "transcript hash":
		return recipe{Kind: "transcript"}
	case "message_hash":
		return recipe{Kind: "message_hash"}
	case "key schedule":
		return recipe{Kind: "schedule"}
	case "cipher suite", "version", "key share", "session id":
		return recipe{Kind: "offered"}
	case checkPath:
		return recipe{Why: "a browser gives no page the means to build and judge a chain of certificates; tlswright did"}
	}
	switch about {
	case "Finished":
		return recipe{Kind: "finished"}
	case "CertificateVerify", "ServerKeyExchange":
		return recipe{Kind: "signature"}
	}
	return recipe{Why: "the page has no recipe for it; tlswright computed it from the same bytes"}
}

// algorithmsOf says which hash and cipher a suite has, by its name.
func algorithmsOf(suite string) (hash, cipher string, tag int) {
	switch {
	case strings.HasSuffix(suite, "_SHA256"):
		hash = "SHA-256"
	case strings.HasSuffix(suite, "_SHA384"):
		hash = "SHA-384"
	case strings.Contains(suite, "_CCM"): // of TLS 1.2, where the name has no hash
		hash = "SHA-256"
	}
	tag = 16
	switch {
	case strings.Contains(suite, "_CCM_8"):
		return hash, "AES-CCM", 8
	case strings.Contains(suite, "_CCM"):
		return hash, "AES-CCM", tag
	case strings.Contains(suite, "_GCM"):
		return hash, "AES-GCM", tag
	case strings.Contains(suite, "CHACHA20_POLY1305"):
		return hash, "ChaCha20-Poly1305", tag
	}
	return hash, "", tag
}
