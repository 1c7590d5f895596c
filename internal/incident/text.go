package incident

import (
	"cmp"
	"slices"
	"strings"
)

func compare(a, b string) int { return cmp.Compare(a, b) }

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// Matches reports whether a pattern, in which * stands for any run of characters, fits a text. It takes time in proportion
// to their product at most.
func Matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}
