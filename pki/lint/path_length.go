package lint

var lintPathLength = Lint{
	Name:        "path_length",
	Severity:    Error,
	Requirement: "A path length is given only for a CA that may sign certificates, and is not negative.",
	Section:     "RFC 5280, Section 4.2.1.9",
	check: func(c *certificate) []string {
		bc, _ := c.basicConstraints()
		if !bc.hasPathLen {
			return nil
		}
		usage, present, _ := c.keyUsage()
		switch {
		case bc.readable && bc.pathLen < 0:
			return complain("the path length is negative")
		case !bc.ca || present && usage&bitKeyCertSign == 0:
			return complain("a path length, but no CA that may sign certificates")
		}
		return nil
	},
}
