"""Reading of one line of a list, or of one SOURCE on the command line, as a URL; a guess is marked as one.

Rules
- Quotes and angle brackets around the whole are taken off (RFC 3986, appendix C), and a comma or semicolon behind them.
- A text without a scheme that begins with a host is a guess at https (`core/scheme_guesses.py`). A host is an address
  in full, localhost, or a name with a public suffix: `index.html` and `/path` begin with none. An @ before the path
  makes the text an e-mail address, or a password.
- `Sitemap: URL`, spelled as in a robots.txt, lists a sitemap; its URL is read alike.
- A `#` behind white space begins a comment. In a URL it would be a fragment, which is never sent.
- No message repeats the text: it may hold a password.
Runs on: anywhere (pure).
"""

import re
from ipaddress import ip_address

import msgspec

from crawler.core.addresses import is_this_machine
from crawler.core.errors import UrlError
from crawler.core.reasons import Reason
from crawler.core.sitemaps import sitemap_in
from crawler.core.suffixes import is_public
from crawler.core.urls import Url, credentials, parse

_QUOTES = {'"': '"', "'": "'", "`": "`", "<": ">", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}
_BEGINS_WITH_HOST = re.compile(
    r"(?://)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\x00-\x20\s/?#\\@:\[\]]+)(?::[0-9]{1,5})?(?:[/?#]|\Z)"
)
_LONGEST_NAME = 254  # characters, a dot at the end included (RFC 1035, 2.3.4)
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")
_COMMENT = re.compile(r"(?<!\s)\s+#", re.ASCII)
_HEADLESS = "no http:// or https:// in front, and it does not begin with a host: write the whole URL"


class LineReading(msgspec.Struct, frozen=True):
    """Meaning of a line.

    Attributes:
        is_guess: it has no scheme, and https was put in front.
        is_unwrapped: quotes or brackets were taken off.
    """

    url: Url
    sitemap: bool = False
    is_guess: bool = False
    is_unwrapped: bool = False


def read(text: str) -> LineReading:
    """Read a text that has no white space around it.

    Raises:
        UrlError: the text is no URL that can be fetched.
    """
    bare = unwrapped(text)
    if "#" in bare:
        bare = unwrapped(uncommented(bare))
    sitemap = sitemap_in(bare)
    written = bare if sitemap is None else unwrapped(sitemap)
    url, is_guess = parse_or_guess(written)
    if "@" in written and credentials(written):
        raise UrlError(Reason.CREDENTIALS_IN_URL, "a password does not belong in a list; use --user")
    is_unwrapped = bare is not text or (written is not bare and written is not sitemap)
    return LineReading(url, sitemap is not None, is_guess, is_unwrapped)


def uncommented(text: str) -> str:
    """Return the text without the comment behind it; the same object if there is none."""
    found = _COMMENT.search(text)
    return text[: found.start()] if found else text


def parse_or_guess(text: str) -> tuple[Url, bool]:
    """Read a URL, or a host without a scheme, over https; True = its scheme is a guess.

    Raises:
        UrlError: the text is neither.
    """
    try:
        return parse(text), False
    except UrlError as error:
        if error.reason is not Reason.RELATIVE_URL:
            raise
    bare = text.strip()
    if found := _BEGINS_WITH_HOST.match(bare):
        url = parse(f"https://{bare.removeprefix('//')}")
        if _is_host(url.host, found["host"]):
            return url, True
    raise UrlError(Reason.RELATIVE_URL, _HEADLESS)


def unwrapped(text: str) -> str:
    """Return the text without quotes and angle brackets around the whole of it; the same object if there are none."""
    if text[:1] not in _QUOTES:
        return text
    closing = _QUOTES[text[0]]
    inner = text.rstrip(",; \t")
    if len(inner) < 2 or not inner.endswith(closing) or closing in inner[1:-1]:
        return text
    inner = inner[1:-1].strip()
    if closing == ">" and inner[:4].upper() == "URL:":
        inner = inner[4:].lstrip()
    return unwrapped(inner)


def _is_host(host: str, written: str) -> bool:
    """Return whether a URL's host has the form of one; an IPv4 address is `written` in full, since `7` is one, too."""
    if is_this_machine(host):
        return True
    try:
        return ip_address(host.strip("[]")).version == 6 or host == written
    except ValueError:
        return len(host) <= _LONGEST_NAME and _NAME.fullmatch(host) is not None and is_public(host)
