"""The cookie jar of a user's cookies (RFC 6265): which of them a request carries.

Rules
- A cookie goes to its own host, or also to hosts below its domain (5.1.3), and to paths below its own (5.1.4), until it
  expires. A secure cookie goes over https alone, or to this machine, as in browsers.
- One header holds them all, the longest path first, then the oldest (5.4). Name and value are sent byte for byte.
- A cookie of the same name, domain and path replaces the one before it, and keeps its place.
- `cookies_file.py` reads a user's cookies; `received_cookies.py` keeps those that servers set.
Runs on: anywhere (pure). Time comes in as `now`, wall clock, seconds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crawler.core.rate_limits import is_loopback
from crawler.core.urls import Url


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One cookie as a jar keeps it.

    Attributes:
        name, value: as they are sent; a lone surrogate stands for a byte that is not UTF-8.
        domain: a host as `Url` writes it, without a dot in front.
        host_only: hosts below the domain do not get it.
        expires: wall clock, seconds; None = at the end of the session, which is the run's end.
    """

    name: str
    value: str
    domain: str
    path: str = "/"
    host_only: bool = True
    secure: bool = False
    expires: float | None = None

    def is_expired(self, now: float) -> bool:
        """Return whether the cookie is no longer sent."""
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
        """Store a cookie in place of the one with the same name, path and domain."""
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
    """Yield the host and the domains above it; no cookie has those of an address, as no host ends in a number."""
    while host:
        yield host
        host = host.partition(".")[2]


def _path_matches(path: str, cookie_path: str) -> bool:
    """Return whether a cookie's path covers a URL's (5.1.4)."""
    return path.startswith(cookie_path) and (cookie_path.endswith("/") or path[len(cookie_path) :][:1] in {"", "/"})
