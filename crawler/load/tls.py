"""TLS of a load test: the certificates that are trusted and shown, the name that is asked for, and the versions.

Rules
- The certificate is verified against the name that the server is asked for: the host of the URL, or `--sni`.
- `--ca-file` trusts the authorities in it and no others. `--insecure` verifies nothing, and the report says so.
- The user's files are read before anything is sent; a bad one is told by its option. No one is asked for a password.
- TLS 1.2 and 1.3 alone: RFC 8996 ended the older ones, and the TLS library of this machine may not even have them.
Runs on: the loop, before the test; in a worker process, once.
"""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from crawler.core.addresses import can_be_host
from crawler.core.errors import UrlError, UsageError
from crawler.core.text import safe
from crawler.core.urls import Url, parse
from crawler.load.config import RequestConfig

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_NOT_IN_NAMES = frozenset("/\\:@?#[]")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSetup:
    """The TLS of one server; it travels to the worker processes, which read the files again.

    Attributes:
        name: asked for (SNI), and in the certificate.
        least, most: versions, as "1.2"; None = whatever both sides know.
    """

    name: str
    ca_file: str | None = None
    insecure: bool = False
    client_cert: str | None = None
    client_key: str | None = None
    key_password_file: str | None = None
    least: str | None = None
    most: str | None = None

    def context(self) -> ssl.SSLContext:
        """Return the TLS context.

        Raises:
            UsageError: a file cannot be used.
        """
        if self.ca_file is None:
            context = ssl.create_default_context()
        else:
            context = _loaded("ca-file", self.ca_file, lambda path: ssl.create_default_context(cafile=path))
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_cert is not None:
            self._show(self.client_cert, context)
        if self.least is not None:
            context.minimum_version = _VERSIONS[self.least]
        if self.most is not None:
            context.maximum_version = _VERSIONS[self.most]
        return context

    def _show(self, certificate: str, context: ssl.SSLContext) -> None:
        """Let the context show the client certificate, with its key."""
        option, key = ("client-cert", certificate) if self.client_key is None else ("client-key", self.client_key)
        if b"-----BEGIN CERTIFICATE" not in _loaded("client-cert", certificate, _content):
            raise UsageError(f"--client-cert: {certificate!r} holds no certificate in PEM: convert it, or give another")
        if b"PRIVATE KEY-----" not in _loaded(option, key, _content):
            hint = "give --client-key, too" if self.client_key is None else "convert it, or give another"
            raise UsageError(f"--{option}: {key!r} holds no private key in PEM: {hint}")
        file, was_asked = self.key_password_file, False
        secret = b"" if file is None else _loaded("key-password-file", file, _content).rstrip(b"\r\n")

        def password() -> bytes:
            nonlocal was_asked
            was_asked = True
            return secret

        try:
            _loaded(option, key, lambda path: context.load_cert_chain(certificate, path, password))
        except UsageError:
            if not was_asked:
                raise
            if file is None:
                raise UsageError(f"--{option}: {key!r} is encrypted: give --key-password-file, too") from None
            raise UsageError(f"--key-password-file: {file!r} does not hold the password of {key!r}") from None
        if file is not None and not was_asked:
            raise UsageError(f"--key-password-file: {key!r} is not encrypted: leave the option out")


def tls_setup(url: Url, asked: RequestConfig) -> TlsSetup | None:
    """Return the TLS of a URL's server; None = it is http.

    Raises:
        UsageError: an option has a value that it does not take.
    """
    if url.scheme != "https":
        return None
    return TlsSetup(
        name=url.host.strip("[]").rstrip(".") if asked.sni is None else _server_name(asked.sni),
        ca_file=asked.ca_file,
        insecure=asked.insecure,
        client_cert=asked.client_cert,
        client_key=asked.client_key,
        key_password_file=asked.key_password_file,
        least=asked.tls_min,
        most=asked.tls_max,
    )


def check_tls(asked: RequestConfig, urls: Iterable[Url]) -> None:
    """Raise a UsageError if the options of TLS contradict each other, or no URL is https."""
    for option, version in (("tls-min", asked.tls_min), ("tls-max", asked.tls_max)):
        if version in {"1.0", "1.1"}:
            raise UsageError(f"--{option} {version}: servers and TLS libraries have left it (RFC 8996): 1.2 or 1.3")
        if version not in {None, *_VERSIONS}:
            raise UsageError(f"--{option}: expected 1.2 or 1.3, got {safe(str(version), 40)!r}")
    if (asked.tls_min, asked.tls_max) == ("1.3", "1.2"):
        raise UsageError("--tls-min 1.3 and --tls-max 1.2 leave no version: change one of them")
    if asked.client_key is not None and asked.client_cert is None:
        raise UsageError("--client-key: a key alone is not shown: give --client-cert, too")
    if asked.key_password_file is not None and asked.client_cert is None:
        raise UsageError("--key-password-file: there is no key: give --client-cert, too")
    given = {"client-cert": asked.client_cert, "sni": asked.sni, "tls-min": asked.tls_min, "tls-max": asked.tls_max}
    first = next((option for option, value in given.items() if value is not None), None)
    if first is not None and all(url.scheme == "http" for url in urls):
        raise UsageError(f"--{first}: the URL is http, which has no TLS: write https://")


def _server_name(text: str) -> str:
    """Return a name as TLS sends it (RFC 6066, 3): ASCII, without a dot at its end, and no address."""
    try:
        name = "" if _NOT_IN_NAMES.intersection(text) else parse(f"https://{text}/").host.rstrip(".")
    except UrlError:
        name = ""
    if not can_be_host(name) or name.rpartition(".")[2].isdigit():
        raise UsageError(f"--sni: expected the name of a host such as app.example, got {safe(text, 80)!r}")
    return name


def _content(path: str) -> bytes:
    return Path(path).read_bytes()


def _loaded(option: str, path: str, load: Callable[[str], T]) -> T:
    """Return what a file of this option holds, or raise a UsageError that names both."""
    try:
        return load(path)
    except FileNotFoundError:
        raise UsageError(f"--{option}: {path!r}: no such file") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UsageError(f"--{option}: {path!r} is not the key of the certificate of --client-cert") from None
        raise UsageError(f"--{option}: {path!r} cannot be read as a PEM file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"--{option}: {path!r} cannot be read: {safe(str(error))}") from None
