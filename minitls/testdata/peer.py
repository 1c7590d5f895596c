"""A second implementation of the simplified TLS, written from docs/learn/minitls.md alone.

  peer.py client HOST PORT ROOT.pem NAME TEXT      says TEXT, prints what comes back
  peer.py server CERT.pem KEY.pem                  prints its port, answers one client with its own text in capitals
"""

import datetime
import hashlib
import hmac
import json
import os
import socket
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID

VERSION, SUITE = "minitls/1", "X25519-Ed25519-AES256GCM-SHA256"
RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def derive(secret, label, length=32):
    return HKDF(hashes.SHA256(), length, None, label.encode()).derive(secret)


def moment(certificate, name):
    """A date of a certificate: newer versions of the module name it otherwise."""
    if hasattr(certificate, name + "_utc"):
        return getattr(certificate, name + "_utc")
    return getattr(certificate, name).replace(tzinfo=datetime.timezone.utc)


class Direction:
    def __init__(self, secret, who):
        self.aead = AESGCM(derive(secret, who + " app key"))
        self.iv = int.from_bytes(derive(secret, who + " app iv", 12), "big")
        self.seq = 0

    def nonce(self):
        nonce = (self.iv ^ self.seq).to_bytes(12, "big")
        self.seq += 1
        return nonce


class Peer:
    def __init__(self, connection):
        self.file = connection.makefile("rwb")
        self.transcript = hashlib.sha256()
        self.private = x25519.X25519PrivateKey.generate()

    def send(self, **message):
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        self.transcript.update(line)
        self.file.write(line)
        self.file.flush()

    def receive(self, kind, add=True):
        line = self.file.readline(64 << 10)
        message = json.loads(line)
        assert message["Type"] == kind, message
        if add:
            self.transcript.update(line)
        return message

    def public(self):
        return self.private.public_key().public_bytes(*RAW).hex()

    def share(self, other):
        shared = self.private.exchange(x25519.X25519PublicKey.from_public_bytes(bytes.fromhex(other)))
        self.secret = derive(shared, "Handshake Data")

    def finished(self, who):
        return hmac.new(derive(self.secret, who + " finished"), self.transcript.digest(), hashlib.sha256).digest()

    def check_finished(self, who):
        expected = self.finished(who)
        assert hmac.compare_digest(bytes.fromhex(self.receive("Finished")["MAC"]), expected), "Finished"

    def write(self, text):
        seq = self.sealer.seq
        self.send(Type="Data", Seq=seq, Ciphertext=self.sealer.aead.encrypt(self.sealer.nonce(), text, None).hex())

    def read_all(self):
        text = b""
        while True:
            message = self.receive("Data", add=False)
            assert message["Seq"] == self.opener.seq, "sequence"
            piece = self.opener.aead.decrypt(self.opener.nonce(), bytes.fromhex(message["Ciphertext"]), None)
            if not piece:
                return text
            text += piece


def client(host, port, root, name, text):
    root = x509.load_pem_x509_certificate(open(root, "rb").read())
    peer = Peer(socket.create_connection((host, int(port)), 20))
    peer.send(Type="ClientHello", Version=VERSION, CipherSuites=[SUITE], ClientRandom=os.urandom(32).hex(),
              EphPubKey=peer.public(), ServerName=name)
    hello = peer.receive("ServerHello")
    assert (hello["Version"], hello["CipherSuite"]) == (VERSION, SUITE)
    peer.share(hello["EphPubKey"])
    leaf = x509.load_pem_x509_certificate(bytes.fromhex(peer.receive("Certificate")["Certificate"]))
    assert leaf.issuer == root.subject
    root.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes)
    assert moment(leaf, "not_valid_before") <= datetime.datetime.now(datetime.timezone.utc) <= moment(leaf, "not_valid_after")
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == name
    signed = peer.transcript.digest()
    leaf.public_key().verify(bytes.fromhex(peer.receive("CertificateVerify")["Signature"]), signed)
    peer.check_finished("server")
    peer.send(Type="Finished", MAC=peer.finished("client").hex())
    peer.sealer, peer.opener = Direction(peer.secret, "client"), Direction(peer.secret, "server")
    peer.write(text.encode())
    peer.write(b"")
    print(peer.read_all().decode())


def server(certificate, key):
    certificate = open(certificate, "rb").read()
    key = serialization.load_pem_private_key(open(key, "rb").read(), None)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)
    print(listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    connection.settimeout(20)
    peer = Peer(connection)
    hello = peer.receive("ClientHello")
    assert hello["Version"] == VERSION and SUITE in hello["CipherSuites"]
    peer.share(hello["EphPubKey"])
    peer.send(Type="ServerHello", Version=VERSION, CipherSuite=SUITE, ServerRandom=os.urandom(32).hex(), EphPubKey=peer.public())
    peer.send(Type="Certificate", Certificate=certificate.hex())
    peer.send(Type="CertificateVerify", Signature=key.sign(peer.transcript.digest()).hex())
    peer.send(Type="Finished", MAC=peer.finished("server").hex())
    peer.check_finished("client")
    peer.sealer, peer.opener = Direction(peer.secret, "server"), Direction(peer.secret, "client")
    text = peer.read_all()
    peer.write(text.upper())
    peer.write(b"")


if __name__ == "__main__":
    {"client": client, "server": server}[sys.argv[1]](*sys.argv[2:])
