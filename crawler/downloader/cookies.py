"""Cookies: which of them a request carries (RFC 6265), and those that a cookies.txt file holds.

Rules
- A cookie goes to its own host, or to hosts below its domain too (5.1.3), to paths below its own (5.1.4), until it
  expires, and a secure one over https alone, or to this machine, as browsers have it.
- One header holds them all, the longest path first, then the oldest (5.4). Name and value are sent byte for byte.
- A cookie of the same name, domain and path replaces the one before it, and keeps its place.
- A domain that is a public suffix means that host alone (5.3, step 5).
- A message about a file names a line and never repeats it: it holds somebody's session.
Runs on: anywhere (pure). Time comes in as `now`, wall clock, seconds.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from crawler.core.errors import UrlError, UsageError
from crawler.core.rate_limits import is_loopback
from crawler.core.suffixes import is_public_suffix
from crawler.core.text import counted
from crawler.core.urls import Url, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One cookie as a jar keeps it.

    Attributes:
        name, value: as they are sent; a byte that is no UTF-8 stands in them as a lone surrogate.
        domain: a host as `Url` has it, without a dot in front.
        host_only: hosts below the domain do not get it.
        expires: wall clock, seconds; None = when the session ends, which is a run's end.
    """

    name: str
    value: str
    domain: str
    path: str = "/"
    host_only: bool = True
    secure: bool = False
    http_only: bool = False
    expires: float | None = None

    def is_expired(self, now: float) -> bool:
        """Return whether it is not sent any more."""
        return self.expires is not None and self.expires <= now


class CookieJar:
    """The cookies of one user agent."""

    def __init__(self, cookies: Iterable[Cookie] = ()) -> None:
        self._by_domain: dict[str, dict[tuple[str, str, bool], tuple[int, Cookie]]] = {}
        self._taken = 0
        for cookie in cookies:
            self.put(cookie)

    def __repr__(self) -> str:
        return f"<CookieJar {sum(map(len, self._by_domain.values()))}>"

    def put(self, cookie: Cookie) -> None:
        """Keep a cookie, in place of its namesake."""
        known = self._by_domain.setdefault(cookie.domain, {})
        key = (cookie.name, cookie.path, cookie.host_only)
        self._taken += 1
        known[key] = (known[key][0] if key in known else self._taken, cookie)

    def header(self, url: Url, now: float) -> str:
        """Return the value of the Cookie header for a request; empty = there is none (RFC 6265, 5.4)."""
        path = url.target.partition("?")[0]
        is_safe = url.scheme == "https" or is_loopback(url.host_port)
        found = [
            (-len(cookie.path), number, cookie)
            for domain in _domains(url.host)
            for number, cookie in self._by_domain.get(domain, {}).values()
            if (domain == url.host or not cookie.host_only)
            and (is_safe or not cookie.secure)
            and _path_matches(path, cookie.path)
            and not cookie.is_expired(now)
        ]
        return "; ".join(
            f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for *_, cookie in sorted(found)
        )


def _domains(host: str) -> Iterator[str]:
    """Name the host and the domains above it; those of an address are no cookie's, as no host ends in a number."""
    while host:
        yield host
        host = host.partition(".")[2]


def _path_matches(path: str, cookie_path: str) -> bool:
    """Return whether a cookie's path covers a URL's (5.1.4)."""
    return path.startswith(cookie_path) and (cookie_path.endswith("/") or path[len(cookie_path) :][:1] in {"", "/"})


# --- cookies.txt -----------------------------------------------------------------------------------------------------

_HTTP_ONLY = "#HttpOnly_"  # curl's mark; any other line that begins with a number sign is a comment
_FLAGS = {"TRUE": True, "FALSE": False}
_EXPIRY = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]*)?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def read_cookies(content: bytes) -> tuple[Cookie, ...]:
    """Read a file of Netscape's format, as curl and browsers' extensions write it, with or without its first line.

    A line has seven fields between tabs: domain, whether hosts below it get the cookie, path, secure, expiry, name,
    value. An expiry of 0, none, or -1 is the session's end. A missing value is an empty one.

    Raises:
        UsageError: a line is no cookie; the message says which and why.
    """
    cookies = []
    for number, line in enumerate(content.decode("utf-8-sig", "surrogateescape").split("\n"), 1):
        written = line.removesuffix("\r")
        if not written.strip() or (written.lstrip().startswith("#") and not written.startswith(_HTTP_ONLY)):
            continue
        try:
            cookies.append(_cookie(written))
        except _NoCookieError as error:
            raise UsageError(f"line {number}: {error}") from None
    return tuple(cookies)


class _NoCookieError(ValueError):
    """The reason for which a line is no cookie."""


def _cookie(line: str) -> Cookie:
    fields = line.removeprefix(_HTTP_ONLY).split("\t")
    if len(fields) not in {6, 7}:
        raise _NoCookieError(
            f"it has {counted(len(fields), 'field')}, and a cookie of a cookies.txt has 7, with tabs between them"
        )
    domain, below, path, secure, expiry, name, value = (*fields, "")[:7]
    if below.upper() not in _FLAGS or secure.upper() not in _FLAGS:
        raise _NoCookieError("its second and fourth field must be TRUE or FALSE")
    if expiry and not _EXPIRY.fullmatch(expiry):
        raise _NoCookieError("its fifth field must be a number of seconds since 1970, or 0")
    if not (name or value) or _CONTROL.search(name + value):
        raise _NoCookieError("its name and value must not be empty, nor hold control characters")
    host = _host(domain.removeprefix("."))
    return Cookie(
        name=name,
        value=value,
        domain=host,
        path=path if path.startswith("/") else "/",
        host_only=not _FLAGS[below.upper()] or is_public_suffix(host),
        secure=_FLAGS[secure.upper()],
        http_only=line.startswith(_HTTP_ONLY),
        expires=float(expiry) if expiry and float(expiry) > 0 else None,
    )


def _host(domain: str) -> str:
    bracketed = f"[{domain}]" if ":" in domain and not domain.startswith("[") else domain
    with suppress(UrlError):
        if not re.search(r"[/?#@\\\s]", domain):
            return parse(f"http://{bracketed}/").host
    raise _NoCookieError("its first field must be a host")
