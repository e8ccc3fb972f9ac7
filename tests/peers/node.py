"""The proxy under test: the built binary with a config, its certificates and its operator."""

import datetime
import hashlib
import ipaddress
import json
import os
import secrets
import ssl
import subprocess
import urllib.request
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stage import answers, free_port, wait_for

ROUTES = """
[[route]]
name = "rest"
title = "Everything else"
hosts = ["*"]
paths = ["/*"]
upstream = "app"
[[route]]
name = "claims"
title = "Claims"
hosts = ["*"]
paths = ["/claims/*"]
upstream = "app"
[[route]]
name = "chat"
title = "Chat"
hosts = ["*"]
paths = ["/chat/*"]
upstream = "chat"
websocket = true
"""


class Authority:
    """A certificate authority for one test run."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign("Authority of the tests", self.key.public_key(), [], ca=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(self, subject, key, names, ca=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        issuer = "Authority of the tests"

        def name(text):
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        def alternative(text):
            try:
                return x509.IPAddress(ipaddress.ip_address(text))
            except ValueError:
                return x509.DNSName(text)

        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=7))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([alternative(text) for text in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, file, *names):
        """Writes a chain and a key for these names, replacing what is there; gives the two files."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(names[0], key.public_key(), names)
        chain, secret = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        pem = serialization.Encoding.PEM
        bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        for at, text in ((secret, key.private_bytes(pem, *bare)), (chain, certificate.public_bytes(pem))):
            fresh = at.with_suffix(at.suffix + ".new")
            fresh.write_bytes(text)
            fresh.replace(at)
        return chain, secret

    def trusted(self, *protocols):
        """A TLS context of Python that trusts this authority alone."""
        context = ssl.create_default_context(cafile=str(self.file))
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


class Node:
    """The proxy. Its ports are picked by the system, and it is ended by its handle."""

    def __init__(self, binary, folder, authority, upstreams, routes=ROUTES, extra="", **listen):
        self.binary, self.folder, self.authority = binary, folder, authority
        self.http, self.h2c, self.https, self.admin = (free_port() for _ in range(4))
        self.token = secrets.token_urlsafe(24)
        site = authority.issue("site", "localhost", "127.0.0.1", "*.example.test")
        other = authority.issue("other", "other.test")
        certificates = "".join(
            f'[[tls.certificate]]\nchain = "{chain}"\nkey = "{key}"\n' for chain, key in (site, other)
        )
        self.config = folder / "intermission.toml"
        self.config.write_text(f"""
[node]
name = "peers-test"
region = "eu"
workers = {listen.get("workers", 2)}
[listen]
http = ["127.0.0.1:{self.http}"]
h2c = ["127.0.0.1:{self.h2c}"]
https = ["127.0.0.1:{self.https}"]
{certificates}
[admin]
listen = "127.0.0.1:{self.admin}"
[[admin.token]]
name = "tester"
sha256 = "{hashlib.sha256(self.token.encode()).hexdigest()}"
[store]
directory = "{folder / "store"}"
[log]
access = "{listen.get("access", folder / "access.log")}"
[limits]
connections_per_address = 5000
[window]
drain = "{listen.get("drain", "1s")}"
[[region]]
name = "eu"
{extra}
{upstreams}
{routes}
""")
        self.process = None
        self.start()

    def start(self):
        """Starts the proxy and waits until it is ready."""
        log = (self.folder / "proxy.log").open("a")
        command = [self.binary, "serve", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stdout=log, stderr=log)

        def ready():
            assert self.process.poll() is None, self.said()
            return answers(f"http://127.0.0.1:{self.admin}/ready")

        wait_for(ready, "the proxy")

    def said(self):
        """The end of its log."""
        return (self.folder / "proxy.log").read_text()[-4000:]

    def stop(self):
        """Asks it to end, and waits."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(timeout=10)

    def types(self, *arguments):
        """Types `intermission …` as the operator."""
        environment = os.environ | {
            "INTERMISSION_SERVER": f"http://127.0.0.1:{self.admin}",
            "INTERMISSION_TOKEN": self.token,
        }
        done = subprocess.run(
            [self.binary, *arguments], env=environment, timeout=60, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def asks(self, path, body=None):
        """GETs from the admin API, or POSTs to it."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.admin}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.token}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def close(self, route, *more):
        """Closes a route."""
        reason = ("--reason", "database upgrade", "--back-in", "15m", "--yes")
        return self.types("on", "--region", "eu", "--route", route, *reason, *more)

    def reopen_all(self):
        """Ends every window in force."""
        for window in self.asks("/api/v1/windows")["items"]:
            self.asks(f"/api/v1/windows/{window['id']}/end", {"reason": "the scenario is over"})

    def reload(self):
        """Has it read its config again."""
        self.process.send_signal(1)

    @property
    def secure(self):
        """The site over TLS."""
        return f"https://localhost:{self.https}"

    @property
    def plain(self):
        """The site in clear."""
        return f"http://localhost:{self.http}"

    @property
    def prior(self):
        """The site in clear, where HTTP/2 may be spoken without asking."""
        return f"http://localhost:{self.h2c}"

    def resources(self):
        """Resident bytes, descriptors and threads of the process."""
        proc = Path(f"/proc/{self.process.pid}")
        status = dict(line.split(":\t") for line in proc.joinpath("status").read_text().splitlines())
        resident = int(status["VmRSS"].split()[0]) * 1024
        descriptors = len(list(proc.joinpath("fd").iterdir()))
        return {"rss": resident, "fds": descriptors, "threads": int(status["Threads"])}
