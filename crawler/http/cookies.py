"""A cookie, and the requests that carry it (RFC 6265).

Rules
- A cookie goes to its own host, or also to hosts below its domain (5.1.3), and to paths below its own (5.1.4), until it
  expires. A secure cookie goes over https alone, or to this machine, as in browsers.
Runs on: anywhere (pure). Time comes in as `now`, wall clock, seconds.
"""

from collections.abc import Iterator

import msgspec

from crawler.core.rate_limits import is_loopback
from crawler.core.urls import Url


class Cookie(msgspec.Struct, frozen=True, kw_only=True):
    """One cookie as a jar keeps it.

    Attributes:
        name, value: as they are sent; a lone surrogate stands for a byte that is not UTF-8.
        domain: a host as `Url` writes it, without a dot in front.
        host_only: hosts below the domain do not get it.
        http_only: scripts of a page do not see it; a jar keeps the mark for the file.
        expires: wall clock, seconds; None = at the end of the session, which is the run's or the jar's end.
    """

    name: str
    value: str
    domain: str
    path: str = "/"
    host_only: bool = True
    secure: bool = False
    http_only: bool = False
    expires: float | None = None

    def __repr__(self) -> str:
        return f"<Cookie {self.name[:40]!r} of {self.domain}{self.path}>"  # not its value: it may be a key

    def is_expired(self, now: float) -> bool:
        """Return whether the cookie is no longer sent."""
        return self.expires is not None and self.expires <= now

    def goes_to(self, url: Url, now: float) -> bool:
        """Return whether a request carries it, given that its domain is one of `domains(url.host)`."""
        return (
            (self.domain == url.host or not self.host_only)
            and (not self.secure or is_safe(url))
            and path_matches(path_of(url), self.path)
            and not self.is_expired(now)
        )


def is_safe(url: Url) -> bool:
    """Return whether secure cookies go there."""
    return url.scheme == "https" or is_loopback(url.host_port)


def path_of(url: Url) -> str:
    """Return the path of a URL, without its query."""
    return url.target.partition("?")[0]


def domains(host: str) -> Iterator[str]:
    """Yield the host and the domains above it; no cookie has those of an address, as no host ends in a number."""
    while host:
        yield host
        host = host.partition(".")[2]


def path_matches(path: str, cookie_path: str) -> bool:
    """Return whether a cookie's path covers a URL's (5.1.4)."""
    return path.startswith(cookie_path) and (cookie_path.endswith("/") or path[len(cookie_path) :][:1] in {"", "/"})
