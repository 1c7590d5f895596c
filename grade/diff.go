package grade

// Diff compares two scans of a server.
func Diff(old, new *Facts) []Change { return nil }
