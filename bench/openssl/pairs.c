// Both ends of OpenSSL connections in one process, joined by a BIO pair, for bench/openssl.go.
//
//   pairs FOLDER VERSION GROUP MODE SIZE NAME
//
// FOLDER holds root.pem, leaf.pem and leaf.key; VERSION is 12 or 13; MODE is full, resumed, mutual or bulk, and SIZE how
// many bytes a write of bulk has; NAME is the server's. Each line of standard input is a number of operations; the answer is a line with the
// CPU time that they took, in nanoseconds.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *folder;
static int resume, mutual, bulk;
static SSL_SESSION *kept;

static void die(const char *what) {
	fprintf(stderr, "%s: ", what);
	ERR_print_errors_fp(stderr);
	fputc('\n', stderr);
	exit(1);
}

static const char *in_folder(const char *name) {
	static char path[4096];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static int keep(SSL *s, SSL_SESSION *session) {
	(void)s;
	SSL_SESSION_free(kept);
	kept = session;
	return 1;
}

static SSL_CTX *context(const SSL_METHOD *method, int version, const char *group, int shows, int verifies) {
	SSL_CTX *c = SSL_CTX_new(method);
	if (!c) die("context");
	int v = version == 12 ? TLS1_2_VERSION : TLS1_3_VERSION;
	SSL_CTX_set_min_proto_version(c, v);
	SSL_CTX_set_max_proto_version(c, v);
	if (version == 12) {
		char both[64];
		snprintf(both, sizeof both, "%s:P-256", group);
		if (!SSL_CTX_set1_groups_list(c, both) || !SSL_CTX_set_cipher_list(c, "ECDHE-ECDSA-AES128-GCM-SHA256")) die("suite");
	} else if (!SSL_CTX_set1_groups_list(c, group) || !SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256")) {
		die("suite");
	}
	if (shows && (SSL_CTX_use_certificate_file(c, in_folder("leaf.pem"), SSL_FILETYPE_PEM) != 1 ||
	              SSL_CTX_use_PrivateKey_file(c, in_folder("leaf.key"), SSL_FILETYPE_PEM) != 1))
		die("certificate");
	if (verifies) {
		if (!SSL_CTX_load_verify_locations(c, in_folder("root.pem"), NULL)) die("root");
		SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	if (!resume) {
		SSL_CTX_set_num_tickets(c, 0);
		SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
	} else {
		SSL_CTX_set_num_tickets(c, 1);
		SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(c, keep);
	}
	return c;
}

static void step(SSL *s, int *done) {
	if (*done) return;
	int r = SSL_do_handshake(s);
	if (r == 1) {
		*done = 1;
	} else if (SSL_get_error(s, r) != SSL_ERROR_WANT_READ) {
		die("handshake");
	}
}

static void pair(SSL_CTX *cc, SSL_CTX *sc, const char *name, SSL **client, SSL **server) {
	SSL *c = SSL_new(cc), *s = SSL_new(sc);
	BIO *a, *b;
	if (!c || !s || !BIO_new_bio_pair(&a, 80 << 10, &b, 80 << 10)) die("pair");
	SSL_set_bio(c, a, a);
	SSL_set_bio(s, b, b);
	SSL_set_tlsext_host_name(c, name);
	SSL_set1_host(c, name);
	SSL_set_connect_state(c);
	SSL_set_accept_state(s);
	if (resume && kept) SSL_set_session(c, kept);
	for (int cd = 0, sd = 0; !cd || !sd;) {
		step(c, &cd);
		step(s, &sd);
	}
	if (resume) { // the ticket comes with it
		char byte = 0;
		if (SSL_write(s, &byte, 1) != 1 || SSL_read(c, &byte, 1) != 1) die("byte");
	}
	*client = c;
	*server = s;
}

// drop frees a connection as if it had been closed in order: its session may be resumed.
static void drop(SSL *s) {
	SSL_set_shutdown(s, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(s);
}

static void move(SSL *from, SSL *to, char *data, int size) {
	static char into[64 << 10];
	for (int at = 0; at < size;) {
		int n = size - at < 64 << 10 ? size - at : 64 << 10;
		if (SSL_write(from, data + at, n) != n) die("write");
		for (int got = 0; got < n;) {
			int r = SSL_read(to, into, sizeof into);
			if (r <= 0) die("read");
			got += r;
		}
		at += n;
	}
}

static long long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
	if (argc != 7) return 2;
	folder = argv[1];
	int version = atoi(argv[2]), size = atoi(argv[5]);
	resume = !strcmp(argv[4], "resumed");
	mutual = !strcmp(argv[4], "mutual");
	bulk = !strcmp(argv[4], "bulk");
	SSL_CTX *cc = context(TLS_client_method(), version, argv[3], mutual, 1);
	SSL_CTX *sc = context(TLS_server_method(), version, argv[3], 1, mutual);
	SSL *c, *s;
	char *data = calloc(1, size + 1);
	pair(cc, sc, argv[6], &c, &s); // with the first of the sessions
	for (long n; scanf("%ld", &n) == 1;) {
		long long start = now();
		for (long i = 0; i < n; i++) {
			if (bulk) {
				move(c, s, data, size);
				continue;
			}
			SSL *x, *y;
			pair(cc, sc, argv[6], &x, &y);
			if (SSL_session_reused(x) != resume) die("resumption");
			drop(x);
			drop(y);
		}
		printf("%lld\n", now() - start);
		fflush(stdout);
	}
	return 0;
}
