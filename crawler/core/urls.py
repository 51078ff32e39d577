"""Text becomes a `Url`, or an error that says what to write instead.

Rules
- A `Url` is canonical: the WHATWG serialisation, without fragment and without user name and password, so that one
  resource has one spelling: the URL on the wire is exactly the one that is compared, stored and hashed.
- Only `parse` makes one, and no text makes it raise anything but `UrlError`.
- Only http and https, and no port on which a request could be taken for another protocol (Fetch standard, "bad port"),
  unless the caller takes any.
- A message never repeats the text: it may hold a password.
Runs on: anywhere (pure).
"""

import re
from functools import lru_cache
from hashlib import blake2b
from typing import NewType
from urllib.parse import unquote

import msgspec
from upa_url import URL

from crawler.core.errors import UrlError
from crawler.core.reasons import Reason

Host = NewType("Host", str)

_START_DIGEST = blake2b(digest_size=16).copy  # takes half the time of a new one
_SCHEMES = {"http:": ("http", 80), "https:": ("https", 443)}

# https://fetch.spec.whatwg.org/#bad-port
_BAD_PORTS = frozenset(
    {
        *(0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95),
        *(101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179),
        *(389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636),
        *(989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566),
        *(6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
    }
)

# `localhost:8000/x` is a URL of the scheme "localhost" to the standard; its author meant a host and its port.
_HOST_AND_PORT = re.compile(r"[^:/?#]+:[0-9]{1,5}(?:[/?#]|$)")
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HEADLESS = "no http:// or https:// in front: write the whole URL"


class Url(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One resource of the web in its only spelling: the rest follows from `href`.

    A struct, and no dataclass, because a page has hundreds: made and unpacked in a sixth of the time.

    Attributes:
        href: ASCII, absolute, with a path that starts with a slash.
        scheme: "http" or "https".
        host: ASCII and lower case; IPv4 dotted, IPv6 compressed and in brackets.
        port: the effective one, the scheme's default filled in.
    """

    href: str
    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        """Return the origin, "https://h", with any other port than the default: credentials belong to it."""
        return self.href[: self._path_start]

    @property
    def host_port(self) -> Host:
        """Return the host and port that politeness throttles: "h:443", the same under either scheme."""
        return f"{self.host}:{self.port}"  # type: ignore[return-value] # Host() would double the price

    @property
    def key(self) -> bytes:
        """Return the 16 bytes by which this URL is looked up."""
        return key_of(self.href)

    @property
    def target(self) -> str:
        """Return path and query for the request line (RFC 9112, 3.2.1), a lone "?" included."""
        return self.href[self._path_start :]

    @property
    def _path_start(self) -> int:
        return self.href.index("/", len("https://"))  # in "http://h/" this skips the host's first character

    def __str__(self) -> str:
        return self.href


def parse(text: str, base: Url | None = None, *, max_length: int = 8192, any_port: bool = False) -> Url:
    """Return the URL that a browser would open for this text, on the page `base` if one is given.

    Args:
        text: as found, with whatever whitespace, letter case and odd spelling of the host.
        base: resolves a relative text; without it a relative text is an error.
        max_length: characters, both of the text and of the canonical URL.
        any_port: take the ports of other protocols, too: a load test meets the user's own server, wherever it listens.

    Raises:
        UrlError: the text is no URL that can be fetched; the reason and the message say why.
    """
    if len(text) > max_length:
        raise _too_long(len(text), max_length)
    parsed, site = (None, "") if base is None else _parsed(base.href)
    try:
        url = URL(text) if parsed is None else URL(text, parsed)
    except RuntimeError:
        raise _refusal(text, base) from None
    except TypeError:  # how upa_url meets text that cannot be encoded
        raise UrlError(Reason.NOT_A_URL, "it holds a lone surrogate, half a character: write it in UTF-8") from None
    href = url.href
    if base is not None and href.startswith(site):  # as most links do
        canonical = Url(href.partition("#")[0], base.scheme, base.host, base.port)
    else:
        canonical = _canonical(url, text, base)
    if len(canonical.href) > max_length:
        raise _too_long(len(canonical.href), max_length)
    if canonical.port in _BAD_PORTS and not any_port:
        message = f"port {canonical.port} belongs to another protocol and is never asked for web pages"
        raise UrlError(Reason.BLOCKED_PORT, message)
    return canonical


def _canonical(url: URL, text: str, base: Url | None) -> Url:
    if url.protocol not in _SCHEMES:
        if base is None and _HOST_AND_PORT.match(text.strip()):
            raise UrlError(Reason.RELATIVE_URL, _HEADLESS)
        message = f"its scheme is {url.protocol[:-1]}, and only http and https are fetched"
        raise UrlError(Reason.UNSUPPORTED_SCHEME, message)
    href = url.href
    if "@" in href and (url.username or url.password):
        url.username = url.password = ""
        href = url.href
    scheme, default_port = _SCHEMES[url.protocol]
    # Only a fragment starts with a bare "#".
    return Url(href.partition("#")[0], scheme, url.hostname, int(url.port or default_port))


def key_of(href: str) -> bytes:
    """Return the `Url.key` of the URL with this canonical text."""
    digest = _START_DIGEST()
    digest.update(href.encode("ascii"))
    return digest.digest()


def credentials(text: str) -> tuple[str, str] | None:
    """Return the user name and password in a URL's text, percent-decoded; None = none, or the text is no URL."""
    try:
        url = URL(text)
    except (RuntimeError, TypeError):
        return None
    return (unquote(url.username), unquote(url.password)) if url.username or url.password else None


@lru_cache(maxsize=16)
def _parsed(base: str) -> tuple[URL, str]:
    """Return a base and how all URLs of its origin begin; a page's links share it, and reading it costs as a join."""
    return URL(base), base[: base.index("/", len("https://")) + 1]


def _too_long(length: int, max_length: int) -> UrlError:
    return UrlError(Reason.URL_TOO_LONG, f"it has {length} characters, and at most {max_length} are taken")


def _refusal(text: str, base: Url | None) -> UrlError:
    """Return the error of a text that could not be parsed at all."""
    written = text.strip()
    if not written:
        return UrlError(Reason.NOT_A_URL, "it is empty")
    if base is None and not _HAS_SCHEME.match(written):
        return UrlError(Reason.RELATIVE_URL, _HEADLESS)
    return UrlError(Reason.NOT_A_URL, "its host or port is not valid: write it as a browser shows it")
