package acmeclient

import "context"

// Terms is the URL of the terms of service that the server wants agreed to; "" where it has none, or where there is an
// account already.
func (c *Client) Terms(ctx context.Context) (string, error) {
	kept, err := c.tree.readAccount(c.o.Server)
	if err != nil || kept != nil {
		return "", err
	}
	d, err := c.protocol.GetDirectory(ctx)
	if err != nil {
		return "", explain("read the directory", err)
	}
	if d.Meta == nil {
		return "", nil
	}
	return d.Meta.TermsOfService, nil
}
