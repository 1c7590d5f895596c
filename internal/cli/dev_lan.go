package cli

// devPhone is what a phone on the same network needs: where the application is, and where the root is.
type devPhone struct {
	URL  string `json:"url"`
	Root string `json:"root"` // plain HTTP: the phone does not trust us yet
}

func (s *devServer) openPhone() (*devPhone, error) { return nil, nil }

func (p *devPhone) text(*stream) string { return "" }

func (p *devPhone) serve() func() error { return func() error { return nil } }
