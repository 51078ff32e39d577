"""The cookie jar of a script or a run: a cookie store with a clock and a file.

`http/cookie_store.py` says what is kept and sent, `cookies_file.py` how a file holds cookies.
Runs on: the event loop; `load` and `save` block for one small file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from crawler.core.config import FetchConfig
from crawler.downloader.cookies_file import cookies_of_file, load_cookies, written_cookies
from crawler.http.cookie_store import CookieStore
from crawler.http.cookies import Cookie
from crawler.runtime.clock import SystemClock


class CookieJar(CookieStore):
    """The cookies of one user agent; iterating gives each `Cookie` that has not expired.

    Several Fetchers may share one, one after the other or at once.
    """

    def __repr__(self) -> str:
        return f"<CookieJar {len(self)}>"

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Cookie]:
        return self.known(SystemClock.wall())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the cookies of a cookies.txt.

        Raises:
            UsageError: the file cannot be read, or a line of it is not a cookie.
        """
        return cls(cookies_of_file(path))

    def save(self, path: str | Path) -> None:
        """Write the cookies as a cookies.txt that only its owner may read; those of the session, too.

        The format has no place for a cookie with a tab in it: such a cookie is left out.

        Raises:
            OSError: the file cannot be written.
        """
        file = Path(path)
        partial = file.with_name(f".{file.name}.partial")
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600, exist_ok=False)
        partial.write_bytes(written_cookies(self))
        partial.replace(file)


def with_file(jar: CookieJar | None, config: FetchConfig) -> CookieJar | None:
    """Return the jar with the cookies of the user's file in it."""
    cookies = load_cookies(config)
    if jar is None:
        return CookieJar(cookies) if cookies else None
    jar.add(cookies)
    return jar
