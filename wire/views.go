package wire

// context is the kind of message an extension stands in.
type context uint8

const (
	inClientHello context = iota
	inServerHello
	inHelloRetryRequest
	inEncryptedExtensions
	inCertificateRequest
	inCertificate
	inNewSessionTicket
)

// decodeView decodes an extension into v. It spells out every type because the calls must be static: called through
// the interface, cursor and view would escape to the heap, and decoding could not be free of allocation.
func decodeView(c *cursor, v ExtensionView) {
	switch v := v.(type) {
	case *ServerNames:
		v.decode(c.at(v.Extension()))
	case *ServerNameAck:
		v.decode(c.at(v.Extension()))
	case *MaxFragmentLength:
		v.decode(c.at(v.Extension()))
	case *StatusRequest:
		v.decode(c.at(v.Extension()))
	case *EmptyStatusRequest:
		v.decode(c.at(v.Extension()))
	case *CertificateStatus:
		v.decode(c.at(v.Extension()))
	case *SupportedGroups:
		v.decode(c.at(v.Extension()))
	case *ECPointFormats:
		v.decode(c.at(v.Extension()))
	case *SignatureAlgorithms:
		v.decode(c.at(v.Extension()))
	case *SignatureAlgorithmsCert:
		v.decode(c.at(v.Extension()))
	case *DelegatedCredentialSchemes:
		v.decode(c.at(v.Extension()))
	case *DelegatedCredential:
		v.decode(c.at(v.Extension()))
	case *ALPN:
		v.decode(c.at(v.Extension()))
	case *SCTs:
		v.decode(c.at(v.Extension()))
	case *EmptySCT:
		v.decode(c.at(v.Extension()))
	case *ClientCertificateTypes:
		v.decode(c.at(v.Extension()))
	case *SelectedClientCertificateType:
		v.decode(c.at(v.Extension()))
	case *ServerCertificateTypes:
		v.decode(c.at(v.Extension()))
	case *SelectedServerCertificateType:
		v.decode(c.at(v.Extension()))
	case *Padding:
		v.decode(c.at(v.Extension()))
	case *EncryptThenMAC:
		v.decode(c.at(v.Extension()))
	case *ExtendedMasterSecret:
		v.decode(c.at(v.Extension()))
	case *CompressCertificate:
		v.decode(c.at(v.Extension()))
	default:
		decodeView13(c, v)
	}
}

// decodeView13 is the part of decodeView for what TLS 1.3 brought or kept of late.
func decodeView13(c *cursor, v ExtensionView) {
	switch v := v.(type) {
	case *RecordSizeLimit:
		v.decode(c.at(v.Extension()))
	case *SessionTicket:
		v.decode(c.at(v.Extension()))
	case *PreSharedKeys:
		v.decode(c.at(v.Extension()))
	case *PreSharedKeySelected:
		v.decode(c.at(v.Extension()))
	case *EarlyData:
		v.decode(c.at(v.Extension()))
	case *EarlyDataSize:
		v.decode(c.at(v.Extension()))
	case *SupportedVersions:
		v.decode(c.at(v.Extension()))
	case *SelectedVersion:
		v.decode(c.at(v.Extension()))
	case *Cookie:
		v.decode(c.at(v.Extension()))
	case *PSKKeyExchangeModes:
		v.decode(c.at(v.Extension()))
	case *CertificateAuthorities:
		v.decode(c.at(v.Extension()))
	case *OIDFilters:
		v.decode(c.at(v.Extension()))
	case *PostHandshakeAuth:
		v.decode(c.at(v.Extension()))
	case *KeyShares:
		v.decode(c.at(v.Extension()))
	case *KeyShareHello:
		v.decode(c.at(v.Extension()))
	case *KeyShareRetry:
		v.decode(c.at(v.Extension()))
	case *TicketRequest:
		v.decode(c.at(v.Extension()))
	case *TicketRequestHint:
		v.decode(c.at(v.Extension()))
	case *RenegotiationInfo:
		v.decode(c.at(v.Extension()))
	case *ECHClientHello:
		v.decode(c.at(v.Extension()))
	case *ECHRetryConfigs:
		v.decode(c.at(v.Extension()))
	case *ECHConfirmation:
		v.decode(c.at(v.Extension()))
	case *ECHOuterExtensions:
		v.decode(c.at(v.Extension()))
	default:
		c.fail("", "no decoder for this view")
	}
}

// viewIn gives an empty view for an extension in a message, or nil where there is none. It is the table of RFC 8446,
// Section 4.2, with the extensions of TLS 1.2 added to the hellos.
func viewIn(in context, t ExtensionType) ExtensionView {
	switch in {
	case inClientHello:
		return viewInClientHello(t)
	case inServerHello:
		return viewInServerHello(t)
	case inHelloRetryRequest:
		return viewInHelloRetryRequest(t)
	case inEncryptedExtensions:
		return viewInEncryptedExtensions(t)
	case inCertificateRequest:
		return viewInCertificateRequest(t)
	case inCertificate:
		return viewInCertificate(t)
	case inNewSessionTicket:
		return viewInNewSessionTicket(t)
	}
	return nil
}

func viewInClientHello(t ExtensionType) ExtensionView {
	switch t {
	case ExtServerName:
		return new(ServerNames)
	case ExtMaxFragmentLength:
		return new(MaxFragmentLength)
	case ExtStatusRequest:
		return new(StatusRequest)
	case ExtSupportedGroups:
		return new(SupportedGroups)
	case ExtECPointFormats:
		return new(ECPointFormats)
	case ExtSignatureAlgorithms:
		return new(SignatureAlgorithms)
	case ExtALPN:
		return new(ALPN)
	case ExtSignedCertificateTimestamp:
		return new(EmptySCT)
	case ExtClientCertificateType:
		return new(ClientCertificateTypes)
	case ExtServerCertificateType:
		return new(ServerCertificateTypes)
	case ExtPadding:
		return new(Padding)
	case ExtEncryptThenMAC:
		return new(EncryptThenMAC)
	case ExtExtendedMasterSecret:
		return new(ExtendedMasterSecret)
	case ExtCompressCertificate:
		return new(CompressCertificate)
	case ExtRecordSizeLimit:
		return new(RecordSizeLimit)
	case ExtDelegatedCredential:
		return new(DelegatedCredentialSchemes)
	case ExtSessionTicket:
		return new(SessionTicket)
	case ExtPreSharedKey:
		return new(PreSharedKeys)
	case ExtEarlyData:
		return new(EarlyData)
	case ExtSupportedVersions:
		return new(SupportedVersions)
	case ExtCookie:
		return new(Cookie)
	case ExtPSKKeyExchangeModes:
		return new(PSKKeyExchangeModes)
	case ExtCertificateAuthorities:
		return new(CertificateAuthorities)
	case ExtPostHandshakeAuth:
		return new(PostHandshakeAuth)
	case ExtSignatureAlgorithmsCert:
		return new(SignatureAlgorithmsCert)
	case ExtKeyShare:
		return new(KeyShares)
	case ExtTicketRequest:
		return new(TicketRequest)
	case ExtRenegotiationInfo:
		return new(RenegotiationInfo)
	case ExtEncryptedClientHello:
		return new(ECHClientHello)
	case ExtECHOuterExtensions:
		return new(ECHOuterExtensions)
	}
	return nil
}

func viewInServerHello(t ExtensionType) ExtensionView {
	switch t {
	case ExtPreSharedKey:
		return new(PreSharedKeySelected)
	case ExtSupportedVersions:
		return new(SelectedVersion)
	case ExtKeyShare:
		return new(KeyShareHello)
	case ExtServerName:
		return new(ServerNameAck)
	case ExtMaxFragmentLength:
		return new(MaxFragmentLength)
	case ExtStatusRequest:
		return new(EmptyStatusRequest)
	case ExtECPointFormats:
		return new(ECPointFormats)
	case ExtALPN:
		return new(ALPN)
	case ExtSignedCertificateTimestamp:
		return new(SCTs)
	case ExtClientCertificateType:
		return new(SelectedClientCertificateType)
	case ExtServerCertificateType:
		return new(SelectedServerCertificateType)
	case ExtEncryptThenMAC:
		return new(EncryptThenMAC)
	case ExtExtendedMasterSecret:
		return new(ExtendedMasterSecret)
	case ExtRecordSizeLimit:
		return new(RecordSizeLimit)
	case ExtSessionTicket:
		return new(SessionTicket)
	case ExtRenegotiationInfo:
		return new(RenegotiationInfo)
	}
	return nil
}

func viewInHelloRetryRequest(t ExtensionType) ExtensionView {
	switch t {
	case ExtSupportedVersions:
		return new(SelectedVersion)
	case ExtCookie:
		return new(Cookie)
	case ExtKeyShare:
		return new(KeyShareRetry)
	case ExtEncryptedClientHello:
		return new(ECHConfirmation)
	}
	return nil
}

func viewInEncryptedExtensions(t ExtensionType) ExtensionView {
	switch t {
	case ExtServerName:
		return new(ServerNameAck)
	case ExtMaxFragmentLength:
		return new(MaxFragmentLength)
	case ExtSupportedGroups:
		return new(SupportedGroups)
	case ExtALPN:
		return new(ALPN)
	case ExtClientCertificateType:
		return new(SelectedClientCertificateType)
	case ExtServerCertificateType:
		return new(SelectedServerCertificateType)
	case ExtRecordSizeLimit:
		return new(RecordSizeLimit)
	case ExtEarlyData:
		return new(EarlyData)
	case ExtTicketRequest:
		return new(TicketRequestHint)
	case ExtEncryptedClientHello:
		return new(ECHRetryConfigs)
	}
	return nil
}

func viewInCertificateRequest(t ExtensionType) ExtensionView {
	switch t {
	case ExtStatusRequest:
		return new(EmptyStatusRequest)
	case ExtSignatureAlgorithms:
		return new(SignatureAlgorithms)
	case ExtSignedCertificateTimestamp:
		return new(EmptySCT)
	case ExtCompressCertificate:
		return new(CompressCertificate)
	case ExtDelegatedCredential:
		return new(DelegatedCredentialSchemes)
	case ExtCertificateAuthorities:
		return new(CertificateAuthorities)
	case ExtOIDFilters:
		return new(OIDFilters)
	case ExtSignatureAlgorithmsCert:
		return new(SignatureAlgorithmsCert)
	}
	return nil
}

func viewInCertificate(t ExtensionType) ExtensionView {
	switch t {
	case ExtStatusRequest:
		return new(CertificateStatus)
	case ExtSignedCertificateTimestamp:
		return new(SCTs)
	case ExtDelegatedCredential:
		return new(DelegatedCredential)
	}
	return nil
}

func viewInNewSessionTicket(t ExtensionType) ExtensionView {
	switch t {
	case ExtEarlyData:
		return new(EarlyDataSize)
	}
	return nil
}
