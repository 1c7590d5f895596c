package wire

// Group is the registered number of a group for key exchange (RFC 8446, Section 4.2.7).
type Group uint16

// The groups that TLS 1.3 can use, and the older curves that are still offered.
const (
	GroupSecp192r1            Group = 19
	GroupSecp224r1            Group = 21
	GroupSecp256k1            Group = 22
	GroupSecp256r1            Group = 23
	GroupSecp384r1            Group = 24
	GroupSecp521r1            Group = 25
	GroupBrainpoolP256r1      Group = 26
	GroupBrainpoolP384r1      Group = 27
	GroupBrainpoolP512r1      Group = 28
	GroupX25519               Group = 29
	GroupX448                 Group = 30
	GroupBrainpoolP256r1TLS13 Group = 31
	GroupBrainpoolP384r1TLS13 Group = 32
	GroupBrainpoolP512r1TLS13 Group = 33
	GroupCurveSM2             Group = 41
	GroupFFDHE2048            Group = 0x0100
	GroupFFDHE3072            Group = 0x0101
	GroupFFDHE4096            Group = 0x0102
	GroupFFDHE6144            Group = 0x0103
	GroupFFDHE8192            Group = 0x0104
	GroupMLKEM512             Group = 0x0200
	GroupMLKEM768             Group = 0x0201
	GroupMLKEM1024            Group = 0x0202
	GroupSecp256r1MLKEM768    Group = 0x11eb
	GroupX25519MLKEM768       Group = 0x11ec
	GroupSecp384r1MLKEM1024   Group = 0x11ed
	GroupCurveSM2MLKEM768     Group = 0x11ee
	GroupX25519Kyber768Draft  Group = 0x6399
)

// String gives the registered name, "x25519", "GREASE 0x0a0a" for a reserved number and "0x1234" for an unknown one.
func (g Group) String() string {
	name, ok := groupName(g)
	return name16(uint16(g), name, ok)
}
