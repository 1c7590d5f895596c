"""OpenSSL's libssl, called through ctypes, as a peer with 0-RTT that prints its early keying material.

early_exporter.py client PORT            two connections: the second sends early data and prints what it exports
early_exporter.py server CERT KEY        serves two connections, and prints what it exports with early data
"""
import ctypes, socket, sys

ssl = ctypes.CDLL("libssl.so.3")
P, N, S = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
for name, result, arguments in [
    ("TLS_client_method", P, []), ("TLS_server_method", P, []), ("SSL_CTX_new", P, [P]), ("SSL_new", P, [P]),
    ("SSL_set_fd", ctypes.c_int, [P, ctypes.c_int]), ("SSL_connect", ctypes.c_int, [P]), ("SSL_accept", ctypes.c_int, [P]),
    ("SSL_get1_session", P, [P]), ("SSL_set_session", ctypes.c_int, [P, P]), ("SSL_shutdown", ctypes.c_int, [P]),
    ("SSL_read", ctypes.c_int, [P, P, ctypes.c_int]), ("SSL_write", ctypes.c_int, [P, S, ctypes.c_int]),
    ("SSL_write_early_data", ctypes.c_int, [P, S, N, ctypes.POINTER(N)]),
    ("SSL_read_early_data", ctypes.c_int, [P, P, N, ctypes.POINTER(N)]),
    ("SSL_CTX_set_max_early_data", ctypes.c_int, [P, ctypes.c_uint32]),
    ("SSL_CTX_use_certificate_chain_file", ctypes.c_int, [P, S]),
    ("SSL_CTX_use_PrivateKey_file", ctypes.c_int, [P, S, ctypes.c_int]),
    ("SSL_ctrl", ctypes.c_long, [P, ctypes.c_int, ctypes.c_long, S]),
    ("SSL_get_early_data_status", ctypes.c_int, [P]),
    ("SSL_export_keying_material_early", ctypes.c_int, [P, P, N, S, N, S, N]),
]:
    f = getattr(ssl, name)
    f.restype, f.argtypes = result, arguments


def check(ok, what):
    if not ok:
        sys.exit("libssl: " + what)


def export(s):
    out = ctypes.create_string_buffer(32)
    label, context = b"EXPORTER-early", b"context"
    check(ssl.SSL_export_keying_material_early(s, out, 32, label, len(label), context, len(context)) == 1, "no early export")
    print("early", out.raw.hex(), flush=True)


def client(port):
    ctx, session = ssl.SSL_CTX_new(ssl.TLS_client_method()), None
    for i in range(2):
        nc = socket.create_connection(("127.0.0.1", port), timeout=30)
        nc.settimeout(None)
        s = ssl.SSL_new(ctx)
        ssl.SSL_set_fd(s, nc.fileno())
        ssl.SSL_ctrl(s, 55, 0, b"localhost")  # SSL_set_tlsext_host_name
        if session:
            check(ssl.SSL_set_session(s, session) == 1, "no session")
            n = N()
            check(ssl.SSL_write_early_data(s, b"early", 5, ctypes.byref(n)) == 1, "no early data")
            export(s)
        check(ssl.SSL_connect(s) == 1, "no handshake")
        if session:
            print("status", ssl.SSL_get_early_data_status(s), flush=True)  # 2: accepted
        check(ssl.SSL_write(s, b"hello", 5) == 5, "no write")
        buffer = ctypes.create_string_buffer(100)
        check(ssl.SSL_read(s, buffer, 100) > 0, "no answer")  # the ticket comes before it
        session = ssl.SSL_get1_session(s)
        ssl.SSL_shutdown(s)
        nc.close()


def server(cert, key):
    ctx = ssl.SSL_CTX_new(ssl.TLS_server_method())
    check(ssl.SSL_CTX_use_certificate_chain_file(ctx, cert.encode()) == 1, "certificate")
    check(ssl.SSL_CTX_use_PrivateKey_file(ctx, key.encode(), 1) == 1, "key")
    check(ssl.SSL_CTX_set_max_early_data(ctx, 1000) == 1, "limit")
    listener = socket.create_server(("127.0.0.1", 0))
    print("port", listener.getsockname()[1], flush=True)
    for i in range(2):
        nc, _ = listener.accept()
        s = ssl.SSL_new(ctx)
        ssl.SSL_set_fd(s, nc.fileno())
        n, buffer = N(), ctypes.create_string_buffer(100)
        while ssl.SSL_read_early_data(s, buffer, 100, ctypes.byref(n)) == 1:  # SSL_READ_EARLY_DATA_SUCCESS
            export(s)
        check(ssl.SSL_accept(s) == 1, "no handshake")
        check(ssl.SSL_read(s, buffer, 100) > 0, "nothing came")
        check(ssl.SSL_write(s, b"hello", 5) == 5, "no write")
        ssl.SSL_shutdown(s)
        nc.close()


if sys.argv[1] == "client":
    client(int(sys.argv[2]))
else:
    server(*sys.argv[2:])
