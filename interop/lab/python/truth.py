"""What is true of a server: OpenSSL's library makes one handshake for each version and suite, each group, and each order.

Reads {"port", "startTLS", "name", "psk"} as JSON, writes what the server agreed to as JSON. No list is ever offered
where the question is about one suite, so no choice of the server can hide anything.
"""
import ctypes
import ctypes.util
import json
import socket
import struct
import sys
import threading
import time

ssl = ctypes.CDLL("libssl.so.3")
crypto = ctypes.CDLL("libcrypto.so.3")
P, I, L, S = ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p


def declare(library, name, result, *arguments):
    f = getattr(library, name)
    f.restype, f.argtypes = result, arguments
    return f


client_method = declare(ssl, "TLS_client_method", P)
ctx_new = declare(ssl, "SSL_CTX_new", P, P)
ctx_free = declare(ssl, "SSL_CTX_free", None, P)
ctx_ctrl = declare(ssl, "SSL_CTX_ctrl", L, P, I, L, P)
set_ciphers = declare(ssl, "SSL_CTX_set_cipher_list", I, P, S)
set_suites = declare(ssl, "SSL_CTX_set_ciphersuites", I, P, S)
set_options = declare(ssl, "SSL_CTX_set_options", ctypes.c_uint64, P, ctypes.c_uint64)
set_level = declare(ssl, "SSL_CTX_set_security_level", None, P, I)
new = declare(ssl, "SSL_new", P, P)
free = declare(ssl, "SSL_free", None, P)
set_fd = declare(ssl, "SSL_set_fd", I, P, I)
ctrl = declare(ssl, "SSL_ctrl", L, P, I, L, P)
connect = declare(ssl, "SSL_connect", I, P)
get_error = declare(ssl, "SSL_get_error", I, P, I)
current = declare(ssl, "SSL_get_current_cipher", P, P)
pending = declare(ssl, "SSL_get_pending_cipher", P, P)
protocol_id = declare(ssl, "SSL_CIPHER_get_protocol_id", ctypes.c_uint16, P)
cipher_name = declare(ssl, "SSL_CIPHER_get_name", S, P)
cipher_version = declare(ssl, "SSL_CIPHER_get_version", S, P)
get_ciphers = declare(ssl, "SSL_CTX_get_ciphers", P, P)
version_of = declare(ssl, "SSL_version", I, P)
stack_num = declare(crypto, "OPENSSL_sk_num", I, P)
stack_value = declare(crypto, "OPENSSL_sk_value", P, P, I)
nid_name = declare(crypto, "OBJ_nid2sn", S, I)
key_bits = declare(crypto, "EVP_PKEY_get_bits", I, P)
key_free = declare(crypto, "EVP_PKEY_free", None, P)
clear_errors = declare(crypto, "ERR_clear_error", None)
last_error = declare(crypto, "ERR_peek_last_error", ctypes.c_ulong)
reason = declare(crypto, "ERR_reason_error_string", S, ctypes.c_ulong)
PSK = ctypes.CFUNCTYPE(ctypes.c_uint, P, S, P, ctypes.c_uint, P, ctypes.c_uint)
set_psk = declare(ssl, "SSL_CTX_set_psk_client_callback", None, P, PSK)

VERSIONS = {0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
GROUPS = dict(enumerate(
    "sect163k1 sect163r1 sect163r2 sect193r1 sect193r2 sect233k1 sect233r1 sect239k1 sect283k1 sect283r1 sect409k1 sect409r1 sect571k1 "
    "sect571r1 secp160k1 secp160r1 secp160r2 secp192k1 prime192v1 secp224k1 secp224r1 secp256k1 prime256v1 secp384r1 secp521r1 "
    "brainpoolP256r1 brainpoolP384r1 brainpoolP512r1 X25519 X448".split(), 1))
FINITE = {256: "ffdhe2048", 257: "ffdhe3072", 258: "ffdhe4096", 259: "ffdhe6144", 260: "ffdhe8192"}
GROUPS13 = {g: GROUPS[g] for g in (23, 24, 25, 29, 30)} | FINITE
SUITES13 = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256", "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"]

task = json.load(sys.stdin)
secret = bytes.fromhex(task.get("psk") or "")


@PSK
def give_psk(_, hint, identity, room, key, key_room):
    ctypes.memmove(identity, b"lab\0", 4)
    ctypes.memmove(key, secret, len(secret))
    return len(secret)


def line(f):
    return f.readline(4096).decode("latin1")


def lines(f, last):
    while True:
        text = line(f)
        if not text or last(text):
            return text


def upgrade(s, protocol):
    """Goes over to TLS in a protocol that begins without it."""
    if not protocol:
        return
    f = s.makefile("rb", buffering=0)
    done = lambda text: len(text) > 3 and text[3] == " "
    if protocol in ("smtp", "lmtp"):
        lines(f, done)
        s.sendall(b"EHLO lab\r\n" if protocol == "smtp" else b"LHLO lab\r\n")
        lines(f, done)
        s.sendall(b"STARTTLS\r\n")
        lines(f, done)
    elif protocol == "ftp":
        lines(f, done)
        s.sendall(b"AUTH TLS\r\n")
        lines(f, done)
    elif protocol == "nntp":
        line(f)
        s.sendall(b"STARTTLS\r\n")
        line(f)
    elif protocol == "pop3":
        line(f)
        s.sendall(b"STLS\r\n")
        line(f)
    elif protocol == "imap":
        line(f)
        s.sendall(b"a STARTTLS\r\n")
        lines(f, lambda text: text.startswith("a "))
    elif protocol == "sieve":
        lines(f, lambda text: text.startswith("OK"))
        s.sendall(b"STARTTLS\r\n")
        lines(f, lambda text: text.startswith("OK"))
    elif protocol == "ldap":
        s.sendall(bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037")
        s.recv(4096)
    elif protocol == "postgres":
        s.sendall(bytes.fromhex("0000000804d2162f"))
        s.recv(1)
    elif protocol == "mysql":
        s.recv(4096)
        s.sendall(struct.pack("<I", 32)[:3] + b"\x01" + struct.pack("<IIB", 0x00088A00 | 0x800 | 0x200, 1 << 24, 33) + bytes(23))
    elif protocol == "rdp":
        s.sendall(bytes.fromhex("030000130ee000000000000100080003000000"))
        s.recv(4096)
    elif protocol in ("xmpp", "xmpp-server"):
        kind = "client" if protocol == "xmpp" else "server"
        origin = "" if protocol == "xmpp" else " from='lab.example'"
        s.sendall((f"<?xml version='1.0'?><stream:stream xmlns='jabber:{kind}' xmlns:stream='http://etherx.jabber.org/streams' "
                   f"version='1.0' to='{task['name']}'{origin}>").encode())
        heard = b""
        while b"</stream:features>" not in heard:
            more = s.recv(4096)
            if not more:
                raise ConnectionError("the stream ended")
            heard += more
        s.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        s.recv(4096)
    else:
        raise ValueError(protocol)


def dial():
    for wait in (0, 0.05, 0.2, 0.5, 1, 2, 4):
        time.sleep(wait)  # servers refuse bursts
        try:
            s = socket.create_connection(("127.0.0.1", task["port"]), timeout=15)
            upgrade(s, task.get("startTLS"))
            return s
        except (ConnectionError, socket.timeout):
            pass
    raise ConnectionError("the server refuses connections")


def context(low, high, ciphers, suites, groups):
    """A client for these alone; None where the library does not know them."""
    c = ctx_new(client_method())
    set_level(c, 0)
    ctx_ctrl(c, 123, low, None)
    ctx_ctrl(c, 124, high, None)
    set_options(c, (1 << 2) | (1 << 17))  # servers without RFC 5746 are let pass; compression is not wanted
    fine = set_ciphers(c, (ciphers + ":@SECLEVEL=0").encode()) == 1
    fine = set_suites(c, (suites or "").encode()) == 1 and fine
    if groups:
        fine = ctx_ctrl(c, 92, 0, ctypes.cast(S(groups.encode()), P)) == 1 and fine
    if secret:
        set_psk(c, give_psk)
    return c if fine else None


def ask(low, high, ciphers="ALL:COMPLEMENTOFALL", suites=None, groups=None):
    """One handshake; what the server chose, or None where it refused."""
    if groups is None:
        groups = ":".join(GROUPS13.values() if high == 0x0304 else GROUPS.values())
    c = context(low, high, ciphers, suites, groups)
    if c is None:
        return None
    for attempt in range(4):
        s = dial()
        connection = new(c)
        try:
            s.settimeout(None)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 15, 0))
            set_fd(connection, s.fileno())
            ctrl(connection, 55, 0, ctypes.cast(S(task["name"].encode()), P))
            clear_errors()
            result = connect(connection)
            chosen = current(connection) or pending(connection)
            problem = "" if result == 1 else (reason(last_error()) or b"closed").decode()
            if result != 1 and get_error(connection, result) == 5 and attempt < 3:
                if not chosen and problem != "closed":
                    time.sleep(0.1 * (attempt + 1))
                    continue
            if not chosen:
                return None
            answer = {"suite": protocol_id(chosen), "version": version_of(connection), "problem": problem, "group": "", "bits": 0}
            if result == 1:
                nid = ctrl(connection, 134, 0, None)
                answer["group"] = (nid_name(nid & 0xFFFFFF) or b"").decode() if nid else ""
                key = P()
                if ctrl(connection, 109, 0, ctypes.byref(key)) == 1:
                    answer["bits"] = key_bits(key)
                    key_free(key)
            return answer
        finally:
            free(connection)
            s.close()
    return None


def raw(version, number):
    """A hello written by hand, with one suite and the groups of RFC 7919, which OpenSSL's client names in TLS 1.3 alone."""
    u16 = lambda *values: struct.pack(f">{len(values)}H", *values)
    block = lambda b: u16(len(b)) + b
    host = task["name"].encode()
    groups = u16(256, 257, 258, 259, 260, 23, 24, 25, 29, 30)
    schemes = u16(0x0401, 0x0501, 0x0601, 0x0804, 0x0805, 0x0806, 0x0403, 0x0503, 0x0603, 0x0201, 0x0203, 0x0202, 0x0402)
    extensions = u16(0) + block(block(b"\0" + block(host))) + u16(10) + block(block(groups)) + u16(13) + block(block(schemes)) + u16(0xFF01) + block(b"\0")
    body = u16(version) + bytes(range(32)) + b"\0" + block(u16(number)) + b"\1\0" + block(extensions)
    message = b"\1" + struct.pack(">I", len(body))[1:] + body
    s = dial()
    try:
        s.sendall(b"\x16\3\1" + block(message))
        heard = b""
        while len(heard) < 80:
            more = s.recv(4096)
            if not more:
                break
            heard += more
        if len(heard) < 44 or heard[0] != 22 or heard[5] != 2:
            return False
        at = 44 + heard[43]
        return struct.unpack(">H", heard[9:11])[0] == version and struct.unpack(">H", heard[at:at + 2])[0] == number
    except ConnectionError:
        return False
    finally:
        s.close()


def known():
    """OpenSSL's suites before TLS 1.3: name, number, oldest version."""
    c = context(0x0301, 0x0303, "ALL:COMPLEMENTOFALL" + (":PSK" if secret else ""), None, None)
    stack, all_ = get_ciphers(c), []
    for i in range(stack_num(stack)):
        cipher = stack_value(stack, i)
        name = cipher_name(cipher).decode()
        if cipher_version(cipher) != b"TLSv1.3" and not name.startswith("SRP-") and (secret or "PSK" not in name):
            all_.append((name, protocol_id(cipher), cipher_version(cipher).decode()))
    return all_


def each(items, f):
    """f of every item, four at a time, in the items' order."""
    items, found, lock = list(items), {}, threading.Lock()
    problems = []

    def work():
        while True:
            with lock:
                if not todo or problems:
                    return
                i = todo.pop()
            try:
                found[i] = f(items[i])
            except Exception as e:  # reported below
                problems.append(e)

    todo = list(range(len(items)))[::-1]
    threads = [threading.Thread(target=work) for _ in range(task.get("parallel", 4))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if problems:
        raise problems[0]
    return [found[i] for i in range(len(items))]


def ranked(version, names):
    """Whose order counts, and the server's where it is that."""
    def pick(order):
        if version == 0x0304:
            return ask(version, version, suites=":".join(order))
        return ask(version, version, ciphers=":".join(order))
    plain = [n for n in names if "CHACHA20" not in n]
    probe = plain if len(plain) > 1 else names
    if len(probe) < 2:
        return "", []
    a, b = pick(probe), pick(probe[::-1])
    if not a or not b:
        return "", []
    if a["suite"] != b["suite"]:
        return "no", []
    # Some put ChaCha20 first for those who do not begin with AES-GCM.
    left, order = sorted(names[::-1], key=lambda n: ("GCM" not in n) + ("ECDHE" not in n) + 3 * ("CHACHA20" in n)), []
    while left:
        got = pick(left)
        name = next((n for n in left if got and numbers[n] == got["suite"]), None)
        if name is None:
            break
        order.append(numbers[name])
        left.remove(name)
    return "yes", order


def groups_of(version, table, ciphers, own):
    """The groups of key exchange that the server takes. own is the certificate's curve, which must be offered, too."""
    def taken(item):
        number, name = item
        rsa = ":".join(n for n in ciphers.split(":") if "ECDSA" not in n)
        for offer, list_ in [(name, ciphers), (name, rsa)] + [(f"{name}:{o}", ciphers) for o in own if o != name]:
            if not list_:
                continue
            got = ask(version, version, ciphers=list_, suites=":".join(SUITES13) if version == 0x0304 else None, groups=offer)
            if got and got["group"].lower() == name.lower():
                return number
        return None
    return [g for g in each(sorted(table.items()), taken) if g]


numbers = {}
answer = {"protocols": [], "groups12": [], "groups13": [], "dh": []}
suites12 = known()
for name, number, _ in suites12:
    numbers[name] = number
numbers.update({"TLS_AES_128_GCM_SHA256": 0x1301, "TLS_AES_256_GCM_SHA384": 0x1302, "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
                "TLS_AES_128_CCM_SHA256": 0x1304, "TLS_AES_128_CCM_8_SHA256": 0x1305})
for version in VERSIONS:
    if version == 0x0304:
        candidates = SUITES13
        got = each(candidates, lambda n: ask(version, version, suites=n))
    else:
        candidates = [n for n, _, since in suites12 if version == 0x0303 or since != "TLSv1.2"]
        got = each(candidates, lambda n: ask(version, version, ciphers=n))
    taken = [n for n, a in zip(candidates, got) if a and a["version"] == version and a["suite"] == numbers[n]]
    if not taken:
        continue
    named = []
    if version != 0x0304:
        maybe = [n for n in candidates if n.startswith("DHE-") and n not in taken]
        named = [numbers[n] for n, yes in zip(maybe, each(maybe, lambda n: raw(version, numbers[n]))) if yes]
    order, ranking = ranked(version, taken)
    answer["protocols"].append({"version": version, "suites": sorted([numbers[n] for n in taken] + named), "order": order, "ranked": ranking})
    for n, a in zip(candidates, got):
        if a and "DH" in n and "ECDH" not in n and a["bits"] and a["bits"] not in answer["dh"]:
            answer["dh"].append(a["bits"])
    if version == 0x0303:
        curves = [n for n in taken if "ECDH" in n]
        if curves:
            answer["groups12"] = groups_of(version, GROUPS, ":".join(curves), ["prime256v1", "secp384r1", "prime192v1"])
    elif version == 0x0304:
        answer["groups13"] = groups_of(version, GROUPS13, "ALL", [])
json.dump(answer, sys.stdout)
