package cli

import "strings"

// oidName gives the name of an object identifier that may stand in a certificate, "" where it is not known: the names of
// the RFCs, as people search for them.
func oidName(oid string) string { return oidNames[oid] }

// oidText is the name with the number behind it, or the number alone.
func oidText(oid string) string {
	name := oidName(oid)
	switch {
	case name == "":
		return oid
	case strings.HasSuffix(name, ")"):
		return name + ", " + oid
	}
	return name + " (" + oid + ")"
}

var oidNames = map[string]string{
	// Extensions.
	"2.5.29.9": "subjectDirectoryAttributes", "2.5.29.14": "subjectKeyIdentifier", "2.5.29.15": "keyUsage",
	"2.5.29.16": "privateKeyUsagePeriod", "2.5.29.17": "subjectAltName", "2.5.29.18": "issuerAltName",
	"2.5.29.19": "basicConstraints", "2.5.29.30": "nameConstraints", "2.5.29.31": "cRLDistributionPoints",
	"2.5.29.32": "certificatePolicies", "2.5.29.33": "policyMappings", "2.5.29.35": "authorityKeyIdentifier",
	"2.5.29.36": "policyConstraints", "2.5.29.37": "extKeyUsage", "2.5.29.46": "freshestCRL", "2.5.29.54": "inhibitAnyPolicy",
	"1.3.6.1.5.5.7.1.1": "authorityInfoAccess", "1.3.6.1.5.5.7.1.11": "subjectInfoAccess", "1.3.6.1.5.5.7.1.3": "qcStatements",
	"1.3.6.1.5.5.7.1.12": "logotype", "1.3.6.1.5.5.7.1.24": "tlsfeature", "1.3.6.1.5.5.7.48.1.5": "ocspNoCheck",
	"1.3.6.1.4.1.11129.2.4.2": "signedCertificateTimestamps", "1.3.6.1.4.1.11129.2.4.3": "ctPoison",
	"1.3.6.1.4.1.44363.44": "delegationUsage", "2.23.140.3.1": "cabfOrganizationIdentifier",
	"2.16.840.1.113730.1.1": "netscapeCertType", "2.16.840.1.113730.1.13": "netscapeComment",
	"1.3.6.1.4.1.311.20.2": "microsoftCertificateTemplate", "1.3.6.1.4.1.311.21.7": "microsoftTemplateVersion",
	"1.3.6.1.4.1.311.21.1": "microsoftCAVersion", "1.3.6.1.4.1.311.21.10": "microsoftApplicationPolicies",
	"1.3.6.1.5.5.7.1.31": "acmeIdentifier",
	// Purposes.
	"1.3.6.1.5.5.7.3.1": "serverAuth", "1.3.6.1.5.5.7.3.2": "clientAuth", "1.3.6.1.5.5.7.3.3": "codeSigning",
	"1.3.6.1.5.5.7.3.4": "emailProtection", "1.3.6.1.5.5.7.3.8": "timeStamping", "1.3.6.1.5.5.7.3.9": "OCSPSigning",
	"1.3.6.1.5.5.7.3.17": "ipsecIKE", "1.3.6.1.5.5.7.3.13": "eapOverPPP", "1.3.6.1.5.5.7.3.14": "eapOverLAN",
	"1.3.6.1.5.5.7.3.31": "brandIndicator", "1.3.6.1.5.5.7.3.36": "documentSigning", "2.5.29.37.0": "anyExtendedKeyUsage",
	"1.3.6.1.5.2.3.4": "pkinitClient", "1.3.6.1.5.2.3.5": "pkinitKDC", "1.3.6.1.4.1.311.20.2.2": "smartCardLogon",
	"1.3.6.1.4.1.311.10.3.12": "microsoftDocumentSigning", "1.3.6.1.4.1.311.10.3.4": "encryptingFileSystem",
	"2.16.840.1.113730.4.1": "netscapeServerGatedCrypto", "1.3.6.1.4.1.311.10.3.3": "microsoftServerGatedCrypto",
	"1.3.6.1.4.1.11129.2.4.4": "precertificateSigning",
	// Access methods.
	"1.3.6.1.5.5.7.48.1": "OCSP", "1.3.6.1.5.5.7.48.2": "caIssuers", "1.3.6.1.5.5.7.48.3": "timeStamping",
	"1.3.6.1.5.5.7.48.5": "caRepository",
	// Policies: those of the CA/Browser Forum, which say how the subject was checked.
	"2.5.29.32.0": "anyPolicy", "2.23.140.1.1": "extended validation (EV)", "2.23.140.1.2.1": "domain validated (DV)",
	"2.23.140.1.2.2": "organization validated (OV)", "2.23.140.1.2.3": "individual validated (IV)",
	"2.23.140.1.3": "code signing, extended validation", "2.23.140.1.4.1": "code signing", "2.23.140.1.4.2": "time stamping",
	"2.23.140.1.31":    "onion, extended validation",
	"2.23.140.1.5.1.1": "S/MIME, mailbox validated, legacy", "2.23.140.1.5.1.2": "S/MIME, mailbox validated, multipurpose",
	"2.23.140.1.5.1.3": "S/MIME, mailbox validated, strict",
	"2.23.140.1.5.2.1": "S/MIME, organization validated, legacy", "2.23.140.1.5.2.2": "S/MIME, organization validated, multipurpose",
	"2.23.140.1.5.2.3": "S/MIME, organization validated, strict",
	"2.23.140.1.5.3.1": "S/MIME, sponsor validated, legacy", "2.23.140.1.5.3.2": "S/MIME, sponsor validated, multipurpose",
	"2.23.140.1.5.3.3": "S/MIME, sponsor validated, strict",
	"2.23.140.1.5.4.1": "S/MIME, individual validated, legacy", "2.23.140.1.5.4.2": "S/MIME, individual validated, multipurpose",
	"2.23.140.1.5.4.3": "S/MIME, individual validated, strict",
	// Signatures and keys.
	"1.2.840.113549.1.1.1": "RSA", "1.2.840.113549.1.1.2": "RSA with MD2", "1.2.840.113549.1.1.4": "RSA with MD5",
	"1.2.840.113549.1.1.5": "RSA with SHA-1", "1.3.14.3.2.29": "RSA with SHA-1", "1.2.840.113549.1.1.10": "RSA-PSS",
	"1.2.840.113549.1.1.11": "RSA with SHA-256", "1.2.840.113549.1.1.12": "RSA with SHA-384", "1.2.840.113549.1.1.13": "RSA with SHA-512",
	"1.2.840.113549.1.1.14": "RSA with SHA-224", "1.2.840.10045.2.1": "ECDSA", "1.2.840.10045.4.1": "ECDSA with SHA-1",
	"1.2.840.10045.4.3.1": "ECDSA with SHA-224", "1.2.840.10045.4.3.2": "ECDSA with SHA-256",
	"1.2.840.10045.4.3.3": "ECDSA with SHA-384", "1.2.840.10045.4.3.4": "ECDSA with SHA-512",
	"1.2.840.10040.4.1": "DSA", "1.2.840.10040.4.3": "DSA with SHA-1", "2.16.840.1.101.3.4.3.2": "DSA with SHA-256",
	"1.3.101.110": "X25519", "1.3.101.111": "X448", "1.3.101.112": "Ed25519", "1.3.101.113": "Ed448",
	"2.16.840.1.101.3.4.3.17": "ML-DSA-44", "2.16.840.1.101.3.4.3.18": "ML-DSA-65", "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
	"1.2.156.10197.1.501": "SM2 with SM3",
	// Curves and hashes.
	"1.2.840.10045.3.1.7": "P-256", "1.3.132.0.33": "P-224", "1.3.132.0.34": "P-384", "1.3.132.0.35": "P-521",
	"1.3.132.0.10": "secp256k1", "1.2.840.10045.3.1.1": "P-192", "1.3.36.3.3.2.8.1.1.7": "brainpoolP256r1",
	"1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1", "1.3.36.3.3.2.8.1.1.13": "brainpoolP512r1",
	"1.3.14.3.2.26": "SHA-1", "2.16.840.1.101.3.4.2.1": "SHA-256", "2.16.840.1.101.3.4.2.2": "SHA-384", "2.16.840.1.101.3.4.2.3": "SHA-512",
}

// validationOf says how the CA checked the subject, by the reserved policies of the CA/Browser Forum: "DV", "OV", "IV",
// "EV" or "".
func validationOf(policies []string) string {
	for _, p := range policies {
		name := oidName(p)
		for _, level := range []string{"EV", "OV", "IV", "DV"} {
			if strings.HasSuffix(name, "("+level+")") {
				return level
			}
		}
	}
	return ""
}

// purposeText is what an extended key usage is for, in words.
func purposeText(oid string) string {
	switch oid {
	case "1.3.6.1.5.5.7.3.1":
		return "TLS server"
	case "1.3.6.1.5.5.7.3.2":
		return "TLS client"
	case "1.3.6.1.5.5.7.3.3":
		return "code signing"
	case "1.3.6.1.5.5.7.3.4":
		return "e-mail"
	case "1.3.6.1.5.5.7.3.8":
		return "time stamping"
	case "1.3.6.1.5.5.7.3.9":
		return "OCSP signing"
	case "2.5.29.37.0":
		return "any purpose"
	}
	if name := oidName(oid); name != "" {
		return name
	}
	return oid
}
