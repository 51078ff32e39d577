"""The cookies.txt file of a user (Netscape's format, as curl and browsers' extensions write it).

Rules
- A line has seven fields between tabs: domain, whether hosts below it get the cookie, path, secure, expiry, name,
  value. An expiry of 0, none, or -1 is the session's end. A missing value is an empty one.
- A domain that is a public suffix means that host alone (RFC 6265, 5.3, step 5).
- A message about the file names a line and never repeats it: it holds the key to a session.
Runs on: the event loop, once at the start; it reads one small file.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from crawler.core.config import FetchConfig
from crawler.core.errors import UrlError, UsageError
from crawler.core.suffixes import is_public_suffix
from crawler.core.text import counted, safe
from crawler.core.urls import parse
from crawler.http.cookies import Cookie

_HTTP_ONLY = "#HttpOnly_"  # curl's mark; any other line that begins with a number sign is a comment
_FIRST_LINE = "# Netscape HTTP Cookie File"
_FLAGS = {"TRUE": True, "FALSE": False}
_EXPIRY = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]*)?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def load_cookies(config: FetchConfig) -> tuple[Cookie, ...]:
    """Return the cookies of the user's file, expired ones included; none without a file.

    Raises:
        UsageError: the file cannot be read, or a line of it is not a cookie.
    """
    if config.cookies_file is None:
        return ()
    try:
        return cookies_of_file(config.cookies_file)
    except UsageError as error:
        raise UsageError(f"--load-cookies: {error}") from None


def cookies_of_file(path: str | Path) -> tuple[Cookie, ...]:
    """Return the cookies of a cookies.txt, expired ones included.

    Raises:
        UsageError: the file cannot be read, or a line of it is not a cookie.
    """
    name = str(path)
    try:
        return read_cookies(Path(path).read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{name!r}: no such file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{name!r} cannot be read: {safe(str(error))}") from None
    except UsageError as error:
        raise UsageError(f"{name!r}, {error}") from None


def read_cookies(content: bytes) -> tuple[Cookie, ...]:
    """Return the cookies of a file's content, with or without the format's first line.

    Raises:
        UsageError: a line is not a cookie; the message says which and why.
    """
    cookies = []
    for number, line in enumerate(content.decode("utf-8-sig", "surrogateescape").split("\n"), 1):
        written = line.removesuffix("\r")
        if not written.strip() or (written.lstrip().startswith("#") and not written.startswith(_HTTP_ONLY)):
            continue
        try:
            cookies.append(_cookie(written))
        except UsageError as error:
            raise UsageError(f"line {number}: {error}") from None
    return tuple(cookies)


def written_cookies(cookies: Iterable[Cookie]) -> bytes:
    """Return the content of a file with these cookies, without those that the format cannot hold."""
    lines = [_FIRST_LINE, *(_line(one) for one in cookies if not _CONTROL.search(one.name + one.value + one.path)), ""]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _line(cookie: Cookie) -> str:
    fields = (
        f"{_HTTP_ONLY if cookie.http_only else ''}{'' if cookie.host_only else '.'}{cookie.domain}",
        str(not cookie.host_only).upper(),
        cookie.path,
        str(cookie.secure).upper(),
        f"{cookie.expires:.0f}" if cookie.expires else "0",
        cookie.name,
        cookie.value,
    )
    return "\t".join(fields)


def _cookie(line: str) -> Cookie:
    fields = line.removeprefix(_HTTP_ONLY).split("\t")
    if len(fields) not in {6, 7}:
        raise UsageError(f"it has {counted(len(fields), 'field')}, but a cookie has 7, separated by tabs")
    domain, below, path, secure, expiry, name, value = (*fields, "")[:7]
    if below.upper() not in _FLAGS or secure.upper() not in _FLAGS:
        raise UsageError("its second and fourth field must be TRUE or FALSE")
    if expiry and not _EXPIRY.fullmatch(expiry):
        raise UsageError("its fifth field must be a number of seconds since 1970, or 0")
    if not (name or value) or _CONTROL.search(name + value):
        raise UsageError("its name and value must not both be empty, nor hold control characters")
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
    raise UsageError("its first field must be a host")
