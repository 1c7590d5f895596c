package grade

// Policy is a set of demands on a server.
type Policy struct {
	Name string `json:"name"` // "mozilla-intermediate-6.0"
}

// ParsePolicy reads a policy from JSON, strictly.
func ParsePolicy(data []byte) (Policy, error) { return Policy{}, nil }

func (s *subject) policies() []PolicyResult { return nil }
