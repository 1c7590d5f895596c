package lab

import "slices"

// Groups are all servers of the lab that stand in this package; those made with crypto/tls and our own stand beside its tests.
func Groups() []*Group {
	all := slices.Concat([]*Group{nginxGroup()}, opensslGroups(), gnutlsGroups(), nssGroups(), javaGroups(), proxyGroups(), serviceGroups())
	asked := testsslAsked()
	for _, g := range all {
		for _, c := range g.Configs {
			c.testssl = asked[c.Name]
		}
	}
	return all
}

// testsslAsked are the configurations that testssl.sh is asked about, by what of it.
func testsslAsked() map[string]string {
	return map[string]string{
		"nginx: good":                         "suites",
		"nginx: no HSTS":                      "certificate",
		"nginx: wrong name":                   "certificate",
		"nginx: no SAN":                       "certificate",
		"nginx: incomplete":                   "certificate",
		"nginx: RSA-1024":                     "certificate",
		"nginx: expired":                      "certificate",
		"nginx: self-signed":                  "certificate",
		"nginx: SHA-1":                        "certificate",
		"nginx: MD5":                          "certificate",
		"nginx: P-192":                        "certificate",
		"nginx: RSA-512":                      "certificate",
		"nginx: out of order":                 "certificate",
		"nginx: surplus":                      "certificate",
		"nginx: must-staple without a staple": "certificate",
		"nginx: old":                          "suites",
		"s_server: everything, own order":     "suites",
		"Postfix: smtp":                       "suites",
		"slapd: ldap":                         "certificate",
		"crypto/tls: X25519MLKEM768 alone":    "certificate",
		"nginx: DHE-1024":                     "suites",
		"nginx: anonymous":                    "suites",
		"nginx: CBC only":                     "certificate",
		"nginx: TLS 1.2 only":                 "certificate",
		"nginx: TLS 1.3 only":                 "certificate",
	}
}

// Of keeps the configurations of a ring, and of these that keep wants.
func Of(groups []*Group, ring Ring, keep func(*Config) bool) []*Group {
	var kept []*Group
	for _, g := range groups {
		copied := *g
		copied.all, copied.Configs = g.Configs, nil
		for _, c := range g.Configs {
			if c.Ring <= ring && keep(c) {
				copied.Configs = append(copied.Configs, c)
			}
		}
		if len(copied.Configs) > 0 {
			kept = append(kept, &copied)
		}
	}
	return kept
}
