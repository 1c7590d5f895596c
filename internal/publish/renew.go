package publish

// Renew gives up the lists that are kept of an issuer, so that the next request gets a new one; an unknown name changes
// nothing.
func (p *Publisher) Renew(name string) {
	i := p.issuers[name]
	if i == nil {
		return
	}
	i.lists.mu.Lock()
	defer i.lists.mu.Unlock()
	clear(i.lists.made)
}
