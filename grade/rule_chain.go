package grade

import (
	"fmt"
	"slices"
	"strings"
)

// chainRules judge what the server sends along with its certificate, and what stands in its DNS-independent surroundings.
var chainRules = []rule{
	{id: "B3", severity: Medium, cap: "B", title: "The chain is incomplete", reference: []string{guide, "RFC 8446, Section 4.4.2"}, number: 5,
		fix: "Send the intermediate certificates along: serve fullchain.pem, not cert.pem.", snippets: fixChain, check: checkIncomplete},
	{id: "chain-aia", severity: Info, title: "Only clients that fetch what is missing can verify", reference: []string{"RFC 5280, Section 4.2.2.1"}, number: 5,
		fix: "Send the intermediate certificates along; curl, Java, Go and most programs fetch nothing.", snippets: fixChain, check: checkAIA},
	{id: "chain-order", severity: Low, title: "The chain is out of order", reference: []string{"RFC 5246, Section 7.4.2", "RFC 8446, Section 4.4.2"},
		fix: "Put the server's certificate first and each issuer right behind what it issued.", snippets: fixChain, check: checkChainOrder},
	{id: "chain-surplus", severity: Info, title: "Certificates that nobody needs are sent", reference: []string{"RFC 8446, Section 4.4.2"},
		fix: "Take them out of the chain file; each costs a kilobyte or so in every full handshake.", snippets: fixChain, check: checkSurplus},
	{id: "root-sent", severity: Info, title: "The root is sent along", reference: []string{"RFC 8446, Section 4.4.2"},
		fix: "Take the root out of the chain file: a client has it, or will not believe it.", snippets: fixChain, check: checkRootSent},
	{id: "trust-differs", severity: Low, title: "Some trust stores do not know the issuer", reference: []string{ourRule},
		fix: "Ask the CA for a chain to a root that all of your clients know.", check: checkTrustDiffers},
	{id: "trust-own", severity: Info, title: "Only an own CA vouches for the certificate", reference: []string{ourRule},
		fix: "Nothing, as long as all who come here trust that CA.", check: checkTrustOwn},
	{id: "chain-unknown", severity: Info, title: "Whether the chain is complete cannot be told", reference: []string{guide, "RFC 8446, Section 4.4.2"}, number: 5,
		fix: "If the issuer is an intermediate CA, send its certificate along; a root may be left out.", snippets: fixChain, check: checkCompleteness},
	{id: "staple-bad", severity: Medium, title: "The OCSP response in the handshake does not hold", reference: []string{"RFC 6960, Section 3.2", "RFC 6066, Section 8"}, number: 10,
		fix: "Have the server fetch a new response, and let it check what it fetches; a wrong one is worse than none.", snippets: fixStaple, check: checkBadStaple},
	{id: "must-staple", severity: High, title: "The certificate demands an OCSP response that is not sent", reference: []string{"RFC 7633, Section 4"}, number: 10,
		fix: "Switch OCSP stapling on, or have the certificate issued again without the extension.", snippets: fixStaple, check: checkMustStaple},
	{id: "staple-missing", severity: Info, title: "No OCSP response in the handshake", reference: []string{"RFC 6066, Section 8", lesson12}, number: 10,
		fix: "Switch OCSP stapling on, so that clients need not ask the CA who visits whom.", snippets: fixStaple, check: checkNoStaple},
	{id: "ct-policy", severity: Medium, title: "Too few certificate transparency timestamps", reference: []string{"RFC 6962, Section 3.3", "Chrome and Apple CT policies"},
		fix: "Have the certificate issued again by a CA that embeds timestamps of enough logs; browsers refuse this one.", snippets: fixRenew, check: checkCT},
	{id: "sct-invalid", severity: Low, title: "A certificate transparency timestamp is invalid", reference: []string{"RFC 6962, Section 3.2"},
		fix: "Have the certificate issued again; a broken timestamp points to a mistake at the CA.", snippets: fixRenew, check: checkBadSCT},
}

func checkIncomplete(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if c.Complete != No || c.SelfSigned {
			continue
		}
		line := fmt.Sprintf("%s: %s sent", describeChain(c), count(len(c.Sent), "certificate", "certificates"))
		evidence = append(evidence, line+because(c.Missing, "; missing: "))
	}
	return firedIf("The chain stops short of what clients trust, so they can verify it only if they have the missing certificate from elsewhere.", evidence)
}

func checkAIA(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if c.Complete == No && c.AIARepairs == Yes {
			evidence = append(evidence, describeChain(c)+because(c.Missing, ": found elsewhere: "))
		}
	}
	return firedIf("Browsers hide the mistake by fetching the intermediate from where the certificate says; programs do not.", evidence)
}

func checkChainOrder(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if !c.OutOfOrder {
			continue
		}
		names := make([]string, 0, len(c.Sent))
		for i := range c.Sent {
			names = append(names, "\""+c.Sent[i].Subject+"\"")
		}
		evidence = append(evidence, describeChain(c)+": sent as "+strings.Join(names, ", "))
	}
	return firedIf("Before TLS 1.3 each certificate has to certify the one before it; strict clients refuse other orders.", evidence)
}

func checkSurplus(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		for _, name := range c.Surplus {
			evidence = append(evidence, describeChain(c)+": \""+name+"\"")
		}
	}
	return firedIf("They belong to no path from the server's certificate to a root.", evidence)
}

func checkRootSent(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if !c.RootSent {
			continue
		}
		name := "the root"
		for i := range c.Sent {
			if i > 0 && c.Sent[i].IsSelfSigned && !slices.Contains(c.Surplus, c.Sent[i].Subject) {
				name = "\"" + c.Sent[i].Subject + "\""
			}
		}
		evidence = append(evidence, describeChain(c)+": "+name)
	}
	return firedIf("A root counts only where the client has it already.", evidence)
}

func checkTrustDiffers(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if c.Trusted != Yes || c.onlyOwnTrusts() {
			continue
		}
		for _, t := range c.Trust {
			if !t.Trusted && !t.Own {
				evidence = append(evidence, describeChain(c)+": "+t.Store+": "+orElse(t.Reason, "not trusted"))
			}
		}
	}
	return firedIf("Clients with these stores refuse the certificate.", evidence)
}

// onlyOwnTrusts reports whether the chain ends in a private CA: other stores are not meant to know it.
func (c *Chain) onlyOwnTrusts() bool {
	return c.Trusted == Yes && slices.ContainsFunc(c.Trust, func(t StoreTrust) bool { return t.Trusted }) &&
		!slices.ContainsFunc(c.Trust, func(t StoreTrust) bool { return t.Trusted && !t.Own })
}

func checkTrustOwn(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if !c.onlyOwnTrusts() {
			continue
		}
		for _, t := range c.Trust {
			if t.Trusted {
				evidence = append(evidence, describeChain(c)+": "+t.Store)
			}
		}
	}
	return firedIf("The grade holds for clients that trust this CA; all others refuse the certificate.", evidence)
}

// checkCompleteness is about a certificate that comes alone and whose issuer nobody knows: the issuer may be a root, or an
// intermediate that is missing, so that the grade without trust may be too good.
func checkCompleteness(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if c.Complete != Unknown || c.SelfSigned || len(c.Sent) != 1 || c.Trusted != No {
			continue
		}
		evidence = append(evidence, describeChain(c)+": sent alone"+because(c.Missing, ", and not the certificate of "))
	}
	return firedIf("The issuer is in no store and was not sent. If it is an intermediate CA, the chain is incomplete, and the grade B at best even for those who trust the root.", evidence)
}

func checkBadStaple(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if c.Staple != nil && (!c.Staple.Valid || c.Staple.Status != "good" && c.Staple.Status != "revoked") {
			evidence = append(evidence, describeChain(c)+": "+orElse(c.Staple.Status, "unreadable")+because(nonEmpty(c.Staple.Reason), ", "))
		}
	}
	return firedIf("Clients that look at it break off, or have to ask the CA themselves.", evidence)
}

func nonEmpty(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// staples reports whether a response comes with a chain, as far as anything is known about it: false only on a clear no.
func (s *subject) staples(c *Chain) bool {
	return c.Staple != nil || s.f.Features.Staple != No
}

func checkMustStaple(s *subject) *hit {
	var evidence []string
	s.leaves(func(c *Chain, leaf *Certificate) {
		if leaf.MustStaple && !s.staples(c) {
			evidence = append(evidence, describeChain(c)+": the TLS feature extension names status_request, and no response was sent")
		}
	})
	return firedIf("Clients that honour the extension refuse the connection.", evidence)
}

func checkNoStaple(s *subject) *hit {
	var evidence []string
	s.leaves(func(c *Chain, leaf *Certificate) {
		if len(leaf.OCSP) > 0 && !s.staples(c) {
			evidence = append(evidence, describeChain(c)+": the responder is "+leaf.OCSP[0])
		}
	})
	return firedIf("The certificate names an OCSP responder, so a client that checks has to ask there itself: slower, and the CA learns who comes.", evidence)
}

func checkCT(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if c.CTPolicy == No {
			evidence = append(evidence, describeChain(c)+": "+orElse(c.CTReason, count(len(c.SCTs), "timestamp", "timestamps")))
		}
	}
	return firedIf("Browsers want to see that a public certificate was logged where everybody can look.", evidence)
}

func checkBadSCT(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		for _, t := range c.SCTs {
			if t.Valid == No {
				evidence = append(evidence, describeChain(c)+": "+t.Log+", from the "+t.Source+because(nonEmpty(t.Reason), ": "))
			}
		}
	}
	return firedIf("Its signature does not fit, or its log is not one that counts.", evidence)
}
