"""The Set-Cookie header: the cookie that a server sets, as browsers read it (RFC 6265, 5.2 and 5.3; RFC 6265bis).

Rules
- Name and value are taken byte for byte. A cookie without `=` has a value and no name.
- The last attribute of a name counts; a date or an age that cannot be read is as if it were missing. Max-Age beats
  Expires.
- A server speaks for its own host and for the domains above it, except public suffixes. It sets secure cookies over
  https alone, or from this machine.
- `__Secure-` and `__Host-` are promises that are kept, in any case of letters.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from datetime import time as time_of_day

from crawler.core.errors import UrlError
from crawler.core.suffixes import is_public_suffix
from crawler.core.urls import Url, parse
from crawler.http.cookies import Cookie, domains, is_safe, path_of

LONGEST = 4096  # bytes of name and value
LONGEST_ATTRIBUTE = 1024  # bytes of its value

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NO_HOST = re.compile(r"[/?#@\\:\s]")
_MAX_AGE = re.compile(r"-?[0-9]+")
_FOREVER = 10**11  # seconds since 1970; the year 5138


def read_set_cookie(value: bytes, url: Url, now: float) -> Cookie | None:
    """Return the cookie that the answer to a request for `url` sets; None = it sets none.

    Its moment of expiry may have passed: then it deletes the one before it.

    Args:
        value: of the header, as it came.
        url: of the request.
        now: wall clock, seconds.
    """
    header = value.decode("utf-8", "surrogateescape")
    written, *parts = header.split(";")
    left, equals, right = written.partition("=")
    name, text = (left.strip(" \t"), right.strip(" \t")) if equals else ("", left.strip(" \t"))
    if not (name or text) or _size(name) + _size(text) > LONGEST or _CONTROL.search(header):
        return None
    pairs = list(_pairs(parts))
    attributes = dict(pairs)
    domain = _domain(attributes.get("domain", ""), url.host)
    if domain is None or ("secure" in attributes and not is_safe(url)):
        return None
    path = attributes.get("path", "")
    cookie = Cookie(
        name=name,
        value=text,
        domain=domain or url.host,
        path=path if path.startswith("/") else _default_path(url),
        host_only=not domain,
        secure="secure" in attributes,
        http_only="httponly" in attributes,
        expires=_expiry(pairs, now),
    )
    return cookie if _keeps_promise(cookie, path) else None


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _pairs(parts: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the names and values of the attributes, without those that are too long."""
    for part in parts:
        name, _, value = part.partition("=")
        if _size(value.strip(" \t")) <= LONGEST_ATTRIBUTE:
            yield name.strip(" \t").lower(), value.strip(" \t")


def _domain(written: str, host: str) -> str | None:
    """Return the domain for which a cookie is set; empty = for its host alone; None = it may not be set."""
    name = written.removeprefix(".")
    if not name or name == host:
        return "" if _is_suffix(name) else name
    if _NO_HOST.search(name):
        return None
    try:
        domain = parse(f"http://{name}/").host
    except UrlError:
        return None
    if domain == host:
        return "" if _is_suffix(domain) else domain
    return domain if domain in domains(host) and not _is_suffix(domain) else None


def _is_suffix(domain: str) -> bool:
    """Return whether no site may speak for all hosts below this name; an address has none."""
    return "." not in domain or domain.rpartition(".")[2].isdigit() or is_public_suffix(domain)


def _default_path(url: Url) -> str:
    return path_of(url).rpartition("/")[0] or "/"


def _keeps_promise(cookie: Cookie, path: str) -> bool:
    name = (cookie.name or cookie.value).lower()
    if name.startswith("__secure-"):
        return cookie.secure and bool(cookie.name)
    if name.startswith("__host-"):
        return cookie.secure and cookie.host_only and path == "/" and bool(cookie.name)
    return True


def _expiry(pairs: list[tuple[str, str]], now: float) -> float | None:
    """Return the moment of expiry; of each attribute the last that can be read counts, and Max-Age beats Expires."""
    ages = [value for name, value in pairs if name == "max-age" and _MAX_AGE.fullmatch(value)]
    if ages:
        seconds = 0 if ages[-1].startswith("-") else int(ages[-1].lstrip("0")[:13] or "0")
        return min(now + seconds, _FOREVER) if seconds else 0.0
    dates = [cookie_date(value) for name, value in pairs if name == "expires"]
    return next((date for date in reversed(dates) if date is not None), None)


_TOKEN = re.compile(r"[^\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[^0-9].*)?")
_DAY = re.compile(r"([0-9]{1,2})(?:[^0-9].*)?")
_YEAR = re.compile(r"([0-9]{2,4})(?:[^0-9].*)?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def cookie_date(text: str) -> float | None:
    """Return the moment that a date in any of the usual forms names, in seconds since 1970; None = it is no date.

    Source: RFC 6265, 5.1.1.
    """
    time = day = month = year = None
    try:
        for token in _TOKEN.findall(text):
            if time is None and (found := _TIME.fullmatch(token)):
                time = time_of_day(int(found[1]), int(found[2]), int(found[3]))
            elif day is None and (found := _DAY.fullmatch(token)):
                day = int(found[1])
            elif month is None and token[:3].lower() in _MONTHS:
                month = _MONTHS.index(token[:3].lower()) + 1
            elif year is None and (found := _YEAR.fullmatch(token)):
                year = int(found[1])
        if time is None or day is None or month is None or year is None:
            return None
        year += 1900 if 70 <= year <= 99 else 2000 if year <= 69 else 0
        return datetime.combine(date(year, month, day), time, UTC).timestamp() if year >= 1601 else None
    except ValueError:  # a moment that no clock and no calendar has
        return None
