package scan

// commonPrime is a Diffie-Hellman prime in common use.
type commonPrime struct {
	name   string
	digest string // SHA-256 of the prime, big-endian without leading zeros
	// isNotSafe: (p-1)/2 is no prime, and the generator belongs to a subgroup of a known order.
	isNotSafe bool
}

// knownPrimes are the primes of the standards, and those that servers came with. A digest is as good as the number: nobody
// needs it here.
var knownPrimes = []commonPrime{
	{"RFC 2409 group 1", "b52ba6a3026520a6c49d37e4587601801bee500123b3259b6bf03e7cecc3e63d", false},
	{"RFC 2409 group 2", "3f35a3f5f6c4376a744acad409bb22f8d897f949d2311d885adaa890981b67a0", false},
	{"RFC 3526 group 5", "64fcc83ec403930bf18393dbc883ccaa1fbb08ac876f77f7aa99748ca945019b", false},
	{"RFC 3526 group 14", "d66436f79bbd6b2e38c0ffbd079be904d2641415e2e67140e09448be9a60890e", false},
	{"RFC 3526 group 15", "48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c", false},
	{"RFC 3526 group 16", "4ee95187682bcb230ad26a95205f6920e84708f6251b3894329b09ec23919e33", false},
	{"RFC 3526 group 17", "d1bfe6d0925ce7e4da262b62861514a7755e35831e429f343e7b864848657efd", false},
	{"RFC 3526 group 18", "39ab4feab950a3128fb71accb9fc3965d857012e081998a85996e3ea8b3c3bcf", false},
	{"ffdhe2048", "9cd3b7f336872f46c09428d1bbc19877a4d440512cda8d1c1cf0cd6e33698966", false},
	{"ffdhe3072", "0eaf67db3a839156d5013494a5318a772b5697d270d721f37f092efc69ea5a17", false},
	{"ffdhe4096", "4648414224ac881b3d0dc59b466f96d06a558278776807797ecf1f66ff397b3e", false},
	{"ffdhe6144", "227ac9066b3ddd9e193670cda2388fa884f65ba0cf98b742d1fe77a6687c79c7", false},
	{"ffdhe8192", "770b14efaf6f049929c523113b3fa99a8d11dab1b18af3609590122075d19833", false},
	{"RFC 5114 group 22", "44c55cfee5c075927cf682da5b681bdecbd5c3eb0784c14f5dce7610f0ef133d", true},
	{"RFC 5114 group 23", "bfe545862ca102ad1eeddb5fbfa5bf855ac4995c56a8b408ce3fe099dce93a9d", true},
	{"RFC 5114 group 24", "0b7835722cb619827610c2549fdda5587421686c4409a13865e76225522ddcc9", true},
	{"Apache 2.0, 512 bits", "3cdb020b9ef298b2f3f6cf5a872af527337bf7b9f654b2e70c49da16a4d24137", false},
	{"Apache 2.0, 1024 bits", "f79d1db3c955a28fdeca462670a0712efee4b588c7858e4943883f903bd1354b", false},
	{"Apache 2.2, 512 bits", "db01e702899166da28c9bc7896af62bcdf0c96d0fb341950ba80e68bd51a57ef", false},
	{"Apache 2.2, 1024 bits", "bf910d9df4e0b2e76cda7443f592aa118e33ba2c224ebc27fb8978d873c8c2e3", false},
	{"nginx, 1024 bits", "8ae47dca3d24e9b64640062686da234dcabada26b0da6f090c5449c1338d9a11", false},
	{"OpenSSL s_server, 512 bits", "f26e2403f3f07946654404909f0ff81d9354de17250411b4c04b89af73178425", false},
	{"SKIP, 1024 bits (OpenSSL)", "6215d41bb617b390082b066d6856f8b361d6c77f316a84301f7c9717a8681485", false},
}
