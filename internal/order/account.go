package order

import (
	"encoding/json"
	"net/netip"
)

// Account is what is kept of a client's account, besides its key and its status.
type Account struct {
	Contact []string        `json:"contact,omitempty"`
	Agreed  bool            `json:"agreed,omitempty"`  // to the terms of service
	Binding json.RawMessage `json:"binding,omitempty"` // the JWS by which it was bound (RFC 8555, Section 7.3.4)
	Rights  Rights          `json:"rights,omitzero"`   // from the binding
}

// Rights narrow what an account may have. They come with the key it is bound by.
type Rights struct {
	DNS []string       `json:"dns,omitempty"` // as [Policy].AllowDNS
	IP  []netip.Prefix `json:"ip,omitempty"`
}

// Client says which program asked for something, as it called itself, and from where.
type Client struct {
	Address string `json:"address,omitempty"` // without port
	Agent   string `json:"agent,omitempty"`   // User-Agent, printable and cut
}
