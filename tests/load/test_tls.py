"""load.tls: client certificates, names and versions, on real servers, and each wrong file by its option."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

import crawler
from crawler.core.errors import UsageError
from crawler.core.urls import parse
from crawler.load.contradictions import configure_load
from crawler.load.tls import TlsSetup, check_tls, tls_setup
from support.certificates import AUTHORITY, NAMES, authority_file, server_context
from support.rawserver import raw_server

pytestmark = pytest.mark.both_loops

PASSWORD = b"open sesame"


class Files:
    """A client certificate of the tests' authority, in the files that people have."""

    def __init__(self, folder: Path) -> None:
        leaf = AUTHORITY.issue_cert("client.example")
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD))
        certificate = leaf.cert_chain_pems[0].bytes()
        self.both = self._write(folder / "both.pem", certificate + leaf.private_key_pem.bytes())
        self.cert = self._write(folder / "cert.pem", certificate)
        self.key = self._write(folder / "key.pem", leaf.private_key_pem.bytes())
        self.locked = self._write(folder / "locked.pem", locked)
        self.locked_both = self._write(folder / "locked-both.pem", certificate + locked)
        self.other_key = self._write(folder / "other.pem", AUTHORITY.issue_cert("x.example").private_key_pem.bytes())
        self.password = self._write(folder / "password", PASSWORD + b"\n")
        self.wrong_password = self._write(folder / "wrong", b"open barley")
        self.text = self._write(folder / "text", b"no PEM at all")
        self.broken = self._write(folder / "broken.pem", certificate[:60] + b"!\n" + leaf.private_key_pem.bytes())
        self.ca = authority_file(folder)

    @staticmethod
    def _write(path: Path, content: bytes) -> str:
        path.write_bytes(content)
        return str(path)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """The files, in a folder of the test."""
    return Files(tmp_path)


class Server:
    """A TLS server of one answer, which notes what each connection showed and asked for."""

    def __init__(self, certificate: trustme.LeafCert | None = None, **changes: object) -> None:
        self.names: list[str | None] = []
        self.versions: list[str | None] = []
        self.subjects: list[object] = []
        self._context = server_context(certificate or AUTHORITY.issue_cert(*NAMES))
        AUTHORITY.configure_trust(self._context)
        for name, value in changes.items():
            setattr(self._context, name, value)
        self._context.sni_callback = lambda _socket, name, _context: self.names.append(name)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[str]:
        """Serve, and give the URL."""
        async with raw_server(self._serve, tls=self._context) as (_, port):
            yield f"https://localhost:{port}/"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = writer.get_extra_info("ssl_object")
        self.versions.append(session.version())
        shown = session.getpeercert() or {}
        self.subjects += [value for name, value in shown.get("subjectAltName", ()) if name == "DNS"]
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("cert", "key", "password"),
    [("both", None, None), ("cert", "key", None), ("cert", "locked", "password"), ("locked_both", None, "password")],
)
async def test_a_client_certificate_is_shown(cert: str, key: str | None, password: str | None, files: Files) -> None:
    """With its key in the same file or in one of its own, encrypted or not, on each connection."""
    server = Server(verify_mode=ssl.CERT_REQUIRED)

    async with server.run() as url:
        result = await crawler.load_test(
            url,
            requests=20,
            connections=2,
            ca_file=files.ca,
            client_cert=getattr(files, cert),
            client_key=getattr(files, key) if key else None,
            key_password_file=getattr(files, password) if password else None,
        )

    assert result.outcomes["ok"] == 20
    assert server.subjects == ["client.example"] * 2


async def test_a_server_that_wants_a_certificate_gets_no_request_without(files: Files) -> None:
    """Every request is a failure."""
    async with Server(verify_mode=ssl.CERT_REQUIRED).run() as url:
        result = await crawler.load_test(url, requests=4, connections=2, ca_file=files.ca)

    assert result.outcomes["ok"] == 0
    assert result.outcomes["failed"] == 4


async def test_the_server_is_asked_for_another_name(files: Files) -> None:
    """The certificate is verified against that name, so a server behind a gateway can be tested at its address."""
    server = Server(AUTHORITY.issue_cert("b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example"))

    async with server.run() as url:
        named = await crawler.load_test(
            url,
            requests=4,
            connections=1,
            ca_file=files.ca,
            sni="B\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example.",
        )
        plain = await crawler.load_test(url, requests=4, connections=1, ca_file=files.ca)

    assert named.outcomes["ok"] == 4
    assert server.names[0] == "xn--bcher-kva.example"
    assert set(plain.total.failures) == {"tls_hostname"}


@pytest.mark.parametrize(
    ("options", "version"),
    [({}, "TLSv1.3"), ({"tls_max": "1.2"}, "TLSv1.2"), ({"tls_min": "1.3"}, "TLSv1.3")],
)
async def test_the_version_is_the_one_that_was_asked_for(options: dict[str, Any], version: str, files: Files) -> None:
    """The newest that both sides know, within the limits."""
    server = Server()

    async with server.run() as url:
        result = await crawler.load_test(url, requests=4, connections=1, ca_file=files.ca, **options)

    assert result.outcomes["ok"] == 4
    assert server.versions == [version]


async def test_a_version_that_the_server_lacks_is_a_failure(files: Files) -> None:
    """Asyncio's server hangs up, mostly before its alert is read."""
    async with Server(maximum_version=ssl.TLSVersion.TLSv1_2).run() as url:
        result = await crawler.load_test(url, requests=4, connections=1, ca_file=files.ca, tls_min="1.3")

    assert result.outcomes["ok"] == 0
    assert set(result.total.failures) <= {"tls_failed", "connect_failed"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ca_file": "text"}, "--ca-file: '.*text' cannot be read as a PEM file"),
        ({"ca_file": "nowhere"}, "--ca-file: '.*nowhere': no such file"),
        ({"client_cert": "nowhere"}, "--client-cert: '.*nowhere': no such file"),
        ({"client_cert": "text"}, "--client-cert: '.*text' holds no certificate in PEM"),
        ({"client_cert": "broken"}, "--client-cert: '.*broken.pem' cannot be read as a PEM file"),
        ({"client_cert": "cert"}, "--client-cert: '.*cert.pem' holds no private key in PEM: give --client-key, too"),
        ({"client_cert": "cert", "client_key": "nowhere"}, "--client-key: '.*nowhere': no such file"),
        ({"client_cert": "cert", "client_key": "cert"}, "--client-key: '.*cert.pem' holds no private key in PEM"),
        ({"client_cert": "cert", "client_key": "other_key"}, "--client-key: '.*other.pem' is not the key of"),
        ({"client_cert": "cert", "client_key": "locked"}, "--client-key: .* is encrypted: give --key-password-file"),
        ({"client_cert": "locked_both"}, "--client-cert: .* is encrypted: give --key-password-file"),
        (
            {"client_cert": "cert", "client_key": "locked", "key_password_file": "wrong_password"},
            "--key-password-file: '.*wrong' does not hold the password of '.*locked.pem'",
        ),
        (
            {"client_cert": "cert", "client_key": "locked", "key_password_file": "nowhere"},
            "--key-password-file: '.*nowhere': no such file",
        ),
        ({"client_cert": "both", "key_password_file": "password"}, "'.*both.pem' is not encrypted: leave the option"),
        ({"client_cert": "folder"}, "--client-cert: '.*' cannot be read: .*Is a directory"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_by_its_option(
    given: dict[str, str], said: str, files: Files, tmp_path: Path
) -> None:
    """Before anything is sent, without a question on the terminal, and without the password."""
    places = {"nowhere": str(tmp_path / "nowhere"), "folder": str(tmp_path)}
    options = {name: places.get(file) or getattr(files, file) for name, file in given.items()}
    setup = TlsSetup(name="h", **options)  # type: ignore[arg-type]

    with pytest.raises(UsageError, match=said) as refused:
        setup.context()

    assert PASSWORD.decode() not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tls-min": "1.1"}, r"--tls-min 1.1: servers and TLS libraries have left it \(RFC 8996\): 1.2 or 1.3"),
        ({"tls-max": "1.0"}, "--tls-max 1.0: servers and TLS libraries have left it"),
        ({"tls-max": "2"}, "--tls-max: expected 1.2 or 1.3, got '2'"),
        ({"tls-min": "1.3", "tls-max": "1.2"}, "leave no version"),
        ({"client-key": "k"}, "--client-key: a key alone is not shown: give --client-cert, too"),
        ({"key-password-file": "p"}, "--key-password-file: there is no key: give --client-cert, too"),
    ],
)
def test_options_of_tls_that_cannot_be_are_refused(options: dict[str, str], said: str) -> None:
    """The message says what can be."""
    with pytest.raises(UsageError, match=said):
        check_tls(configure_load(options).request, [parse("https://h/")])


@pytest.mark.parametrize("option", [{"sni": "h"}, {"client-cert": "c"}, {"tls-min": "1.2"}, {"tls-max": "1.3"}])
def test_options_of_tls_need_https(option: dict[str, str]) -> None:
    """They would be dropped in silence; of several URLs, one is enough."""
    asked = configure_load(option).request

    with pytest.raises(UsageError, match=f"--{next(iter(option))}: the URL is http, which has no TLS: write https://"):
        check_tls(asked, [parse("http://h/")])
    check_tls(asked, [parse("http://h/"), parse("https://h/")])


@pytest.mark.parametrize("name", ["127.0.0.1", "[::1]", "::1", "a b", "a..b", "https://h/", "h:80", "me@h", "1.2.3.4."])
def test_what_is_no_server_name_is_refused(name: str) -> None:
    """An address is none (RFC 6066, 3)."""
    with pytest.raises(UsageError, match="--sni: expected the name of a host"):
        tls_setup(parse("https://h/"), configure_load({"sni": name}).request)


@pytest.mark.parametrize(("url", "name"), [("https://h./", "h"), ("https://[::1]/", "::1")])
def test_without_a_name_of_its_own_it_is_the_url_s(url: str, name: str) -> None:
    """A certificate's names end in no dot."""
    setup = tls_setup(parse(url), configure_load({}).request)

    assert setup is not None
    assert setup.name == name
