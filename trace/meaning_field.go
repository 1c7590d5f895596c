package trace

import (
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// explainField gives the meaning of a field that deserves one, and where it is specified. message is the type of the
// message, section where that is specified.
func explainField(f *Field, message, section string) {
	if f.Meaning != "" {
		return
	}
	key := fieldKey(f.Path)
	meaning, where := "", ""
	switch {
	case strings.Contains(f.Path, "extensions["):
		extension, _, _ := strings.Cut(key, ".")
		if meaning, where = meaningECH(key); meaning == "" {
			meaning, where = extensionMeaning(key)
		}
		about, at := typeMeaning(extension)
		if strings.HasSuffix(key, ".extension_type") {
			meaning = about
		}
		if where == "" {
			where = at
		}
	case key == "zeros":
		meaning, where = meaningECH(key)
	case message == recordMessage:
		meaning, where = recordMeaning(key)
	default:
		meaning, where = messageFieldMeaning(key, message)
		if !strings.HasPrefix(section, "RFC 8446") { // a message of TLS 1.2
			where = section
			if key == "legacy_version" {
				meaning = "The version, unless supported_versions says something else."
			}
		}
	}
	if strings.HasPrefix(f.Value, "GREASE ") {
		meaning, where = typeMeaning(f.Value)
	}
	if where == "" {
		where = section
	}
	if meaning != "" && f.Kind != wire.KindLength.String() && !later(f.Path) {
		f.Meaning, f.Section = meaning, where // without a meaning the section of the message has to do
	}
}

// later reports whether a field is an element of a list, and not the first: what was said of that need not be repeated.
func later(path string) bool {
	end, ok := strings.CutSuffix(path, "]")
	if !ok {
		return false
	}
	return !strings.HasSuffix(end, "[0")
}

const recordMessage = "record"

// fieldKey is a path without numbers: "key_share.client_shares.group".
func fieldKey(path string) string {
	if i := strings.LastIndex(path, "extensions["); i >= 0 {
		if _, rest, ok := strings.Cut(path[i:], "]."); ok {
			path = rest
		}
	}
	var b strings.Builder
	skip := false
	for _, c := range path {
		switch {
		case c == '[':
			skip = true
		case c == ']':
			skip = false
		case !skip:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// recordMeaning is about the fields of records, alerts and change_cipher_spec.
func recordMeaning(key string) (meaning, section string) {
	switch key {
	case "opaque_type":
		return "Every protected record of TLS 1.3 says that it is application data; what it really is stands inside.", "RFC 8446, Section 5.2"
	case "type":
		return "What the record holds.", "RFC 8446, Section 5.1"
	case "legacy_record_version":
		return "Means nothing any more: it is there for boxes on the way that look at it.", "RFC 8446, Section 5.1"
	case "fragment.level", "level":
		return "Without meaning in TLS 1.3: the description alone decides.", "RFC 8446, Section 6"
	case "fragment.description", "description":
		return "Why the alert was sent.", "RFC 8446, Section 6"
	case "fragment":
		return "The content, in the clear.", "RFC 8446, Section 5.1"
	case typeApplicationData:
		return "What the applications say to each other.", "RFC 8446, Section 5.2"
	case "fragment.type":
		return "Always 1. In TLS 1.3 it is sent for boxes on the way, and dropped; in TLS 1.2 what follows is encrypted.", "RFC 8446, Appendix D.4"
	}
	return "", ""
}

// messageFieldMeaning is about the fields of messages outside of extensions.
func messageFieldMeaning(key, message string) (meaning, section string) {
	hello := "RFC 8446, Section 4.1.2"
	if message != "ClientHello" {
		hello = "RFC 8446, Section 4.1.3"
	}
	switch key {
	case "legacy_version":
		return "Says TLS 1.2 for good; which version is spoken stands in supported_versions.", hello
	case "random":
		if message == "HelloRetryRequest" {
			return "Always the same bytes, the SHA-256 of \"HelloRetryRequest\": they make this ServerHello one.", "RFC 8446, Section 4.1.3"
		}
		return "32 bytes of chance, so that no two handshakes are the same. A server that was made to speak an older version leaves a mark in the last 8.", hello
	case "legacy_session_id":
		return "In TLS 1.3 a random value for boxes on the way that expect one; in TLS 1.2 the name of a session to resume.", hello
	case "legacy_session_id_echo":
		return "What the client sent, sent back.", hello
	case "cipher_suites":
		return "One that the client can use; the first is the one it likes best.", hello
	case "cipher_suite":
		return "Cipher and hash of this connection.", hello
	case "legacy_compression_methods", "legacy_compression_method":
		return "No compression: it gave secrets away.", hello
	case "certificate_request_context":
		return "Ties a certificate to the request for it; empty during the handshake.", "RFC 8446, Section 4.3.2"
	case "certificate_list.cert_data", "certificate_list":
		return "One certificate; the first is of the sender, each next one should have signed the one before.", "RFC 8446, Section 4.4.2"
	case "algorithm":
		return "How the signature was made.", "RFC 8446, Section 4.4.3"
	case "signature":
		if message == "ServerKeyExchange" {
			return "Over both randoms and the parameters above, with the key of the certificate.", "RFC 8422, Section 5.4"
		}
		return "Over everything said so far, with the key of the certificate.", "RFC 8446, Section 4.4.3"
	case "verify_data":
		return "A MAC over everything said so far.", "RFC 8446, Section 4.4.4"
	}
	return laterFieldMeaning(key)
}

// laterFieldMeaning is about the fields of messages after the handshake, and of those of TLS 1.2 alone.
func laterFieldMeaning(key string) (meaning, section string) {
	switch key {
	case "ticket_lifetime", "ticket_lifetime_hint":
		return "How long the ticket may be used, in seconds.", "RFC 8446, Section 4.6.1"
	case "ticket_age_add":
		return "Is added to the age of the ticket when the client uses it, so that nobody can tell two uses apart from chance.", "RFC 8446, Section 4.6.1"
	case "ticket_nonce":
		return "Makes the pre-shared key of this ticket different from those of the others.", "RFC 8446, Section 4.6.1"
	case "ticket":
		return "What the client shows when it comes back; it means something to the server alone.", "RFC 8446, Section 4.6.1"
	case "request_update":
		return "Whether the other side shall change its keys, too.", "RFC 8446, Section 4.6.3"
	case "curve_type":
		return "3: a curve that has a name.", "RFC 8422, Section 5.4"
	case "namedcurve":
		return "The group of the key exchange.", "RFC 8422, Section 5.4"
	case "public":
		return "The server's half of the key exchange: a new key for this connection.", "RFC 8422, Section 5.4"
	case "ecdh_Yc":
		return "The client's half of the key exchange: a new key for this connection.", "RFC 8422, Section 5.7"
	}
	return "", ""
}

// extensionMeaning is about the fields inside extensions.
func extensionMeaning(key string) (meaning, section string) {
	switch key {
	case "server_name.server_name_list.name":
		return "The host that the client wants. Anybody on the way can read it.", "RFC 6066, Section 3"
	case "server_name.server_name_list.name_type":
		return "0: a host name, the only kind there is.", "RFC 6066, Section 3"
	case "status_request.status_type":
		return "1: OCSP, the only kind there is.", "RFC 6066, Section 8"
	case "ec_point_formats.ec_point_format_list":
		return "0: uncompressed.", "RFC 8422, Section 5.1.2"
	case "key_share.client_shares.group", "key_share.server_share.group":
		return "The group that the share is for.", "RFC 8446, Section 4.2.8"
	case "session_ticket.ticket":
		return "A ticket of TLS 1.2.", "RFC 5077, Section 3.2"
	case "supported_versions.versions":
		return "A version that the client speaks.", "RFC 8446, Section 4.2.1"
	case "supported_versions.selected_version":
		return "The version of this connection.", "RFC 8446, Section 4.2.1"
	case "supported_groups.named_group_list":
		return "A group for the key exchange that the sender can use.", "RFC 8446, Section 4.2.7"
	case "signature_algorithms.supported_signature_algorithms", "signature_algorithms_cert.supported_signature_algorithms":
		return "A kind of signature that the sender accepts.", "RFC 8446, Section 4.2.3"
	case "key_share.client_shares.key_exchange":
		return "The client's half of the key exchange; with the other half it makes the shared secret, which is never sent.", "RFC 8446, Section 4.2.8"
	case "key_share.server_share.key_exchange":
		return "The server's half of the key exchange; with the other half it makes the shared secret, which is never sent.", "RFC 8446, Section 4.2.8"
	case "key_share.selected_group":
		return "The group for which the server wants a share.", "RFC 8446, Section 4.2.8"
	case "application_layer_protocol_negotiation.protocol_name_list":
		return "An application protocol.", "RFC 7301, Section 3.1"
	case "psk_key_exchange_modes.ke_modes":
		return "Whether a pre-shared key may stand alone, or only together with a key exchange.", "RFC 8446, Section 4.2.9"
	case "pre_shared_key.identities.identity":
		return "A ticket, or another name of a key that both sides have.", "RFC 8446, Section 4.2.11"
	case "pre_shared_key.identities.obfuscated_ticket_age":
		return "How old the ticket is, in milliseconds, plus its ticket_age_add.", "RFC 8446, Section 4.2.11"
	case "pre_shared_key.binders":
		return "A MAC over this ClientHello, which only somebody with the pre-shared key can make.", "RFC 8446, Section 4.2.11.2"
	case "pre_shared_key.selected_identity":
		return "Which of the offered keys the server takes, counted from 0.", "RFC 8446, Section 4.2.11"
	case "early_data.max_early_data_size":
		return "How many bytes of early data may come with this ticket.", "RFC 8446, Section 4.2.10"
	case "cookie.cookie":
		return "The client has to send it back; it saves the server from remembering.", "RFC 8446, Section 4.2.2"
	case "record_size_limit.record_size_limit":
		return "In bytes, with the content type and the padding in TLS 1.3.", "RFC 8449, Section 4"
	case "max_fragment_length.max_fragment_length":
		return "1 for 512 bytes, 2 for 1024, 3 for 2048, 4 for 4096; in both directions.", "RFC 6066, Section 4"
	case "renegotiation_info.renegotiated_connection":
		return "Empty in a first handshake.", "RFC 5746, Section 3.2"
	}
	return delegatedMeaning(key)
}

// typeMeaning is about the extensions themselves.
func typeMeaning(name string) (meaning, section string) {
	switch name {
	case "server_name":
		return "Which host the client wants.", "RFC 6066, Section 3"
	case "max_fragment_length":
		return "Asks for shorter records; record_size_limit has taken its place.", "RFC 6066, Section 4"
	case "status_request":
		return "Asks for, or brings, an OCSP response for the certificate.", "RFC 6066, Section 8"
	case "supported_groups":
		return "The groups for the key exchange, the best first.", "RFC 8446, Section 4.2.7"
	case "ec_point_formats":
		return "How points on curves are written; uncompressed is the only way left.", "RFC 8422, Section 5.1.2"
	case "signature_algorithms":
		return "The signatures that are accepted.", "RFC 8446, Section 4.2.3"
	case "signature_algorithms_cert":
		return "The signatures that are accepted in certificates.", "RFC 8446, Section 4.2.3"
	case "application_layer_protocol_negotiation":
		return "Which protocol is spoken inside.", "RFC 7301, Section 3.1"
	case "signed_certificate_timestamp":
		return "Proofs that certificates are in public logs.", "RFC 6962, Section 3.3"
	case "padding":
		return "Nothing, to make the message longer.", "RFC 7685, Section 3"
	case "encrypt_then_mac":
		return "For the cipher suites with CBC of TLS 1.2.", "RFC 7366, Section 2"
	case "extended_master_secret":
		return "Binds the master secret of TLS 1.2 to the whole handshake.", "RFC 7627, Section 5.1"
	case "delegated_credential":
		return "Takes, or brings, a key that signs in the place of the certificate's for some days.", "RFC 9345, Section 4"
	case "compress_certificate":
		return "How a certificate may be compressed.", "RFC 8879, Section 3"
	case "record_size_limit":
		return "The longest record that the sender takes.", "RFC 8449, Section 4"
	case "session_ticket":
		return "A ticket of TLS 1.2, or the wish for one.", "RFC 5077, Section 3.2"
	case "pre_shared_key":
		return "Keys that both may have already. It is always the last extension, for its binders are over all before it.", "RFC 8446, Section 4.2.11"
	case "early_data":
		return "Data comes, or may come, before the handshake is done.", "RFC 8446, Section 4.2.10"
	case "supported_versions":
		return "The versions: here is what counts, and not in legacy_version.", "RFC 8446, Section 4.2.1"
	case "cookie":
		return "Something that the server wants to see again.", "RFC 8446, Section 4.2.2"
	case "psk_key_exchange_modes":
		return "How pre-shared keys may be used.", "RFC 8446, Section 4.2.9"
	case "certificate_authorities":
		return "Which CAs are welcome.", "RFC 8446, Section 4.2.4"
	case "post_handshake_auth":
		return "The client can be asked for a certificate later.", "RFC 8446, Section 4.2.6"
	case "key_share":
		return "The key exchange.", "RFC 8446, Section 4.2.8"
	case "renegotiation_info":
		return "Keeps a renegotiation of TLS 1.2 from being joined to a strange connection.", "RFC 5746, Section 3.2"
	}
	if strings.HasPrefix(name, "GREASE") {
		return "Means nothing: a value put in at random, so that the other side does not forget to ignore what it does not know.", "RFC 8701, Section 3"
	}
	return "", ""
}

// explainIdentity says more of an identity that tells what it is. raw is the identity.
func explainIdentity(f *Field, raw []byte) {
	id, ok := imported(raw)
	if !ok || fieldKey(f.Path) != "pre_shared_key.identities.identity" {
		return
	}
	f.Meaning = "The name of an external pre-shared key, \"" + pki.Printable(string(id.External)) + "\", imported for " + id.Protocol.String() + " with " + id.KDF.String()
	if len(id.Context) > 0 {
		f.Meaning += ", in the context \"" + pki.Printable(string(id.Context)) + "\""
	}
	f.Meaning, f.Section = f.Meaning+".", "RFC 9258, Section 5.1"
}
