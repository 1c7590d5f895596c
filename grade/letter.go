package grade

import (
	"fmt"
	"slices"
	"strings"
)

// letters are the grades, the best first. T and M are about trust, not about the server's TLS; they stand at the end
// because who cares for trust can do nothing with such a server.
var letters = [...]Letter{"A+", "A", "A-", "B", "C", "D", "E", "F", "M", "T"}

// rank is a letter's place among the letters, 0 the best; -1 for the empty letter and for what is none.
func (l Letter) rank() int { return slices.Index(letters[:], l) }

// ParseLetter reads a grade as a person writes it: "A-", "b". The error lists the grades there are.
func ParseLetter(s string) (Letter, error) {
	l := Letter(strings.ToUpper(strings.TrimSpace(s)))
	if l.rank() < 0 {
		return "", fmt.Errorf("%.20q is no grade; there are A+, A, A-, B, C, D, E, F, M and T", s)
	}
	return l, nil
}

// AtLeast reports whether a grade is as good as another or better. M and T are worse than F; the empty letter, of a
// server that could not be judged, is never good enough.
func (l Letter) AtLeast(least Letter) bool {
	return l.rank() >= 0 && l.rank() <= least.rank()
}

// worse returns the worse of two letters.
func worse(a, b Letter) Letter {
	if b.rank() > a.rank() {
		return b
	}
	return a
}

// letterOf turns a score into a letter, before caps: A stands for all that has 80 or more.
func letterOf(score float64) Letter {
	switch {
	case score >= 80:
		return "A"
	case score >= 65:
		return "B"
	case score >= 50:
		return "C"
	case score >= 35:
		return "D"
	case score >= 20:
		return "E"
	}
	return "F"
}

// severityOrder lists the severities, the worst first.
var severityOrder = [...]Severity{Critical, High, Medium, Low, Info, Good}

func (s Severity) rank() int { return slices.Index(severityOrder[:], s) }
