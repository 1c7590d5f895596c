package estate

import (
	_ "embed"
	"fmt"

	"github.com/tlswright/tlswright/internal/config"
)

//go:embed sample.yaml
var sample string

// Sample is the text that "tlswright init" writes, and what counts without a file.
func Sample() string { return sample }

// Read reads a file. Sections that are there and empty are those of the sample.
func Read(text []byte) (*config.Estate, error) {
	usual, err := config.ReadEstate([]byte(sample), nil)
	if err != nil {
		return nil, fmt.Errorf("the usual settings: %w", err)
	}
	return config.ReadEstate(text, usual)
}

// ReadMonitor reads the section "monitor" of a file, and what the monitor watches without being told: what the other sections
// serve. Where one of those is not right, that is nothing.
func ReadMonitor(b *Base, text []byte) (m *config.Monitor, own []config.Watched, err error) {
	if e, err := Read(text); err == nil && e.Monitor != nil {
		return e.Monitor, OwnTargets(b, e), nil
	}
	m, err = config.ReadMonitor(text)
	return m, nil, err
}

// ReadGateway reads the section "gateway" of a file, which may be there and empty.
func ReadGateway(text []byte) (*config.Gateway, error) {
	if e, err := Read(text); err == nil && e.Gateway != nil {
		return e.Gateway, nil
	}
	return config.ReadGateway(text)
}
