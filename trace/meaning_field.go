package trace

import "strings"

// explainField gives the meaning of a field that deserves one.
func explainField(f *Field, message string) {}

// fieldKey is a path without numbers: "key_share.client_shares.group".
func fieldKey(path string) string {
	if i := strings.LastIndex(path, "extensions["); i >= 0 {
		if _, rest, ok := strings.Cut(path[i:], "]."); ok {
			path = rest
		}
	}
	var b strings.Builder
	skip := false
	for _, c := range path {
		switch {
		case c == '[':
			skip = true
		case c == ']':
			skip = false
		case !skip:
			b.WriteRune(c)
		}
	}
	return b.String()
}
