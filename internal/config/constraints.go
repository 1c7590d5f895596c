package config

import (
	"crypto/x509/pkix"
	"net/netip"

	"github.com/tlswright/tlswright/pki"
)

// setNameConstraints reads
//
//	name-constraints:
//	  permitted:
//	    dns: [example.internal]
//	    ip: [10.0.0.0/8]
//	    email: [example.com]
//	    uri: [.example.internal]
//	    directory: [{country: DE, organization: Example}]
//	  excluded:
//	    dns: [secret.example.internal]
func setNameConstraints(s *pki.ProfileSpec, n node) error {
	if !s.CA {
		return fail(n.ast, "extend intermediate or root", "name constraints are for CAs")
	}
	halves, err := n.fields([]string{"permitted", "excluded"})
	if err != nil {
		return err
	}
	var c pki.NameConstraints
	for _, half := range halves {
		to := subtrees{&c.PermittedDNS, &c.PermittedEmail, &c.PermittedURI, &c.PermittedIP, &c.PermittedDirNames}
		if half.name == "excluded" {
			to = subtrees{&c.ExcludedDNS, &c.ExcludedEmail, &c.ExcludedURI, &c.ExcludedIP, &c.ExcludedDirNames}
		}
		if err := to.read(half.value); err != nil {
			return err
		}
	}
	if _, err := c.Marshal(); err != nil {
		return fail(n.ast, "name what is permitted or excluded", "%s: %v", n.path, err)
	}
	s.NameConstraints = &c
	return nil
}

// subtrees are one half of the constraints.
type subtrees struct {
	dns, email, uri *[]string
	ip              *[]netip.Prefix
	directory       *[][]byte
}

func (to subtrees) read(n node) error {
	kinds, err := n.fields([]string{"dns", "ip", "email", "uri", "directory"})
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		switch kind.name {
		case "dns":
			*to.dns, err = texts(kind.value)
		case "email":
			*to.email, err = texts(kind.value)
		case "uri":
			*to.uri, err = texts(kind.value)
		case "ip":
			*to.ip, err = prefixes(kind.value)
		case "directory":
			*to.directory, err = directories(kind.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// prefixes reads address ranges; a single address is a range of one.
func prefixes(n node) ([]netip.Prefix, error) {
	list, err := n.list()
	if err != nil {
		return nil, err
	}
	var found []netip.Prefix
	for _, v := range list {
		text, err := v.text()
		if err != nil {
			return nil, err
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(text)
			if addrErr != nil || addr.Zone() != "" {
				return nil, fail(v.ast, "write it as 10.0.0.0/8 or 2001:db8::/32", "%s: %q is no range of addresses", n.path, text)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		if p != p.Masked() {
			return nil, fail(v.ast, "write "+p.Masked().String(), "%s: %q has bits outside of its mask", n.path, text)
		}
		found = append(found, p)
	}
	return found, nil
}

// directories reads the beginnings of distinguished names.
func directories(n node) ([][]byte, error) {
	list, err := n.list()
	if err != nil {
		return nil, err
	}
	var found [][]byte
	for _, v := range list {
		parts, err := v.fields([]string{"country", "province", "locality", "organization", "organizational-unit", "common-name"})
		if err != nil {
			return nil, err
		}
		var name pkix.Name
		for _, part := range parts {
			values, err := texts(part.value)
			if err != nil {
				return nil, err
			}
			switch part.name {
			case "country":
				name.Country = values
			case "province":
				name.Province = values
			case "locality":
				name.Locality = values
			case "organization":
				name.Organization = values
			case "organizational-unit":
				name.OrganizationalUnit = values
			case "common-name":
				if len(values) != 1 {
					return nil, fail(part.key, "name one", "%s is not a single name", part.value.path)
				}
				name.CommonName = values[0]
			}
		}
		der, err := pki.EncodeName(name)
		if err != nil {
			return nil, fail(v.ast, "", "%s: %v", v.path, err)
		}
		found = append(found, der)
	}
	return found, nil
}
