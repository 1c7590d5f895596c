package lab

import "slices"

// Groups are all servers of the lab that stand in this package; those made with crypto/tls and our own stand beside its tests.
func Groups() []*Group {
	return slices.Concat([]*Group{nginxGroup()}, opensslGroups(), gnutlsGroups(), nssGroups(), javaGroups(), proxyGroups(), serviceGroups())
}

// Of keeps the configurations of a ring, and of these that keep wants.
func Of(groups []*Group, ring Ring, keep func(*Config) bool) []*Group {
	var kept []*Group
	for _, g := range groups {
		copied := *g
		copied.Configs = nil
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
