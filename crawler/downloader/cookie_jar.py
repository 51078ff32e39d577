"""The cookie jar: the cookies of one user agent, those of a user's file and those that servers set.

Rules
- One header holds all that go to a URL, the longest path first, then the oldest (RFC 6265, 5.4), byte for byte.
- A cookie of the same name, domain and path replaces the one before it, and keeps its place; one that has expired
  deletes it. A server cannot replace a secure cookie in clear.
- The memory is bounded: MOST_OF_DOMAIN cookies of a domain, MOST_DOMAINS domains. The oldest is forgotten first.
- `cookies.py` says where a cookie goes, `set_cookie.py` what a server sets, `cookies_file.py` how a file holds them.
Runs on: the event loop; `load` and `save` block for one small file.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from crawler.core.urls import Url
from crawler.downloader.cookies import Cookie, domains, is_safe, path_matches
from crawler.downloader.cookies_file import cookies_of_file, written_cookies
from crawler.downloader.set_cookie import read_set_cookie
from crawler.runtime.clock import SystemClock

MOST_OF_DOMAIN = 180
MOST_DOMAINS = 4096

_Key = tuple[str, str, bool]  # name, path, host_only


class CookieJar:
    """The cookies of one user agent; iterating gives each `Cookie` that has not expired.

    Several Fetchers may share one, one after the other or at once.
    """

    def __init__(self, cookies: Iterable[Cookie] = ()) -> None:
        self._by_domain: dict[str, dict[_Key, tuple[int, Cookie]]] = {}
        self._taken = 0
        for cookie in cookies:
            self.put(cookie)

    def __repr__(self) -> str:
        return f"<CookieJar {len(self)}>"

    def __len__(self) -> int:
        return sum(map(len, self._by_domain.values()))

    def __iter__(self) -> Iterator[Cookie]:
        now = SystemClock.wall()
        for known in list(self._by_domain.values()):
            yield from [cookie for _, cookie in known.values() if not cookie.is_expired(now)]

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the cookies of a cookies.txt.

        Raises:
            UsageError: the file cannot be read, or a line of it is not a cookie.
        """
        return cls(cookies_of_file(path))

    def save(self, path: str | Path) -> None:
        """Write the cookies as a cookies.txt that only its owner may read; those of the session, too.

        Raises:
            OSError: the file cannot be written.
        """
        file = Path(path)
        partial = file.with_name(f".{file.name}.partial")
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600, exist_ok=False)
        partial.write_bytes(written_cookies(self))
        partial.replace(file)

    def put(self, cookie: Cookie) -> None:
        """Store a cookie in place of the one with the same name, path and domain."""
        known = self._by_domain.setdefault(cookie.domain, {})
        key = (cookie.name, cookie.path, cookie.host_only)
        self._taken += 1
        known[key] = (known[key][0] if key in known else self._taken, cookie)
        if len(known) > MOST_OF_DOMAIN:
            del known[min(known, key=lambda other: known[other][0])]
        if len(self._by_domain) > MOST_DOMAINS:
            del self._by_domain[next(iter(self._by_domain))]

    def clear(self) -> None:
        """Forget all cookies."""
        self._by_domain.clear()

    def take(self, url: Url, values: Iterable[bytes], now: float) -> None:
        """Keep the cookies that the Set-Cookie headers of an answer set.

        Args:
            url: of the request.
            values: of the headers, as they came.
            now: wall clock, seconds.
        """
        for value in values:
            cookie = read_set_cookie(value, url, now)
            if cookie is None or (not is_safe(url) and self._has_secure(cookie)):
                continue
            if cookie.is_expired(now):
                known = self._by_domain.get(cookie.domain, {})
                known.pop((cookie.name, cookie.path, cookie.host_only), None)
            else:
                self.put(cookie)

    def _has_secure(self, new: Cookie) -> bool:
        """Return whether a secure cookie has this name where the new one would be seen (RFC 6265bis, 5.7)."""
        return any(
            cookie.secure and cookie.name == new.name and path_matches(new.path, cookie.path)
            for domain in (*domains(new.domain), *self._below(new))
            for _, cookie in self._by_domain.get(domain, {}).values()
        )

    def _below(self, new: Cookie) -> list[str]:
        end = f".{new.domain}"
        return [] if new.host_only else [domain for domain in self._by_domain if domain.endswith(end)]

    def header(self, url: Url, now: float) -> str:
        """Return the value of the Cookie header for a request; empty = there is none (RFC 6265, 5.4)."""
        if not self._by_domain:
            return ""
        found = [
            (-len(cookie.path), number, cookie)
            for domain in domains(url.host)
            for number, cookie in self._by_domain.get(domain, {}).values()
            if cookie.goes_to(url, now)
        ]
        found.sort(key=lambda entry: entry[:2])
        return "; ".join(f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for *_, cookie in found)
