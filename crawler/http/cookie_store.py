"""The cookies of one user agent: those that its user put in, and those that servers set.

Rules
- One header holds all that go to a URL, the longest path first, then the oldest (RFC 6265, 5.4), byte for byte.
- A cookie of the same name, domain and path replaces the one before it, and keeps its place; one that has expired
  deletes it. A server cannot replace a secure cookie in clear.
- Cookies of servers are bounded: MOST_OF_DOMAIN of a domain, MOST_DOMAINS domains. Expired ones are forgotten first,
  then the oldest. No server can push out a cookie that the user has put in.
- `cookies.py` says where a cookie goes, `set_cookie.py` what a server sets.
Runs on: anywhere (pure). Time comes in as `now`, wall clock, seconds.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from crawler.core.urls import Url
from crawler.http.cookies import Cookie, domains, is_safe, path_matches
from crawler.http.set_cookie import read_set_cookie

MOST_OF_DOMAIN = 180
MOST_DOMAINS = 4096

_Key = tuple[str, str, bool]  # name, path, host_only


class _Kept(NamedTuple):
    """A cookie in the jar, its number in the order of arrival, and whether the user has put in one with its key."""

    number: int
    cookie: Cookie
    is_users: bool


class CookieStore:
    """The cookies of one user agent, in memory."""

    def __init__(self, cookies: Iterable[Cookie] = ()) -> None:
        self._by_domain: dict[str, dict[_Key, _Kept]] = {}
        self._by_servers: dict[str, None] = {}  # domains without a cookie of the user, the first to come first
        self._taken = 0
        for cookie in cookies:
            self.put(cookie)

    def known(self, now: float) -> Iterator[Cookie]:
        """Yield each cookie that has not expired."""
        for known in list(self._by_domain.values()):
            yield from [kept.cookie for kept in known.values() if not kept.cookie.is_expired(now)]

    def put(self, cookie: Cookie) -> None:
        """Store a cookie of the user in place of the one with the same name, path and domain."""
        self._by_servers.pop(cookie.domain, None)
        self._store(cookie, is_users=True)

    def add(self, cookies: Iterable[Cookie]) -> None:
        """Put in cookies of the user, where none with the same name, path and domain is known."""
        for cookie in cookies:
            if _key(cookie) not in self._by_domain.get(cookie.domain, {}):
                self.put(cookie)

    def clear(self) -> None:
        """Forget all cookies."""
        self._by_domain.clear()
        self._by_servers.clear()

    def take(self, url: Url, values: Iterable[bytes], now: float) -> None:
        """Keep the cookies that the Set-Cookie headers of an answer set.

        Args:
            url: of the request.
            values: of the headers, as they came.
            now: wall clock, seconds.
        """
        for value in values:
            cookie = read_set_cookie(value, url, now)
            if cookie is None or (not is_safe(url) and self._has_secure(cookie, now)):
                continue
            if cookie.is_expired(now):
                self._by_domain.get(cookie.domain, {}).pop(_key(cookie), None)
                continue
            if cookie.domain not in self._by_domain:
                self._by_servers[cookie.domain] = None
            self._store(cookie, is_users=False)
            self._keep_bounds(cookie.domain, now)

    def _store(self, cookie: Cookie, *, is_users: bool) -> None:
        known = self._by_domain.setdefault(cookie.domain, {})
        before = known.get(_key(cookie))
        self._taken += 1
        number, was_users = (before.number, before.is_users) if before else (self._taken, False)
        known[_key(cookie)] = _Kept(number, cookie, is_users or was_users)

    def _keep_bounds(self, domain: str, now: float) -> None:
        known = self._by_domain[domain]
        if len(known) > MOST_OF_DOMAIN:
            for key in [key for key, kept in known.items() if kept.cookie.is_expired(now)]:
                del known[key]
            of_servers = [key for key, kept in known.items() if not kept.is_users]
            if len(of_servers) > MOST_OF_DOMAIN:
                del known[min(of_servers, key=lambda key: known[key].number)]
        if len(self._by_servers) > MOST_DOMAINS:
            oldest = next(iter(self._by_servers))
            del self._by_servers[oldest], self._by_domain[oldest]

    def _has_secure(self, new: Cookie, now: float) -> bool:
        """Return whether a secure cookie has this name where the new one would be seen (RFC 6265bis, 5.7)."""
        return any(
            kept.cookie.secure
            and kept.cookie.name == new.name
            and path_matches(new.path, kept.cookie.path)
            and not kept.cookie.is_expired(now)
            for domain in (*domains(new.domain), *self._below(new))
            for kept in self._by_domain.get(domain, {}).values()
        )

    def _below(self, new: Cookie) -> list[str]:
        end = f".{new.domain}"
        return [] if new.host_only else [domain for domain in self._by_domain if domain.endswith(end)]

    def header(self, url: Url, now: float) -> str:
        """Return the value of the Cookie header for a request; empty = there is none (RFC 6265, 5.4)."""
        if not self._by_domain:
            return ""
        found = [
            kept
            for domain in domains(url.host)
            for kept in self._by_domain.get(domain, {}).values()
            if kept.cookie.goes_to(url, now)
        ]
        found.sort(key=lambda kept: (-len(kept.cookie.path), kept.number))
        return "; ".join(f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for _, cookie, _ in found)


def _key(cookie: Cookie) -> _Key:
    return cookie.name, cookie.path, cookie.host_only
