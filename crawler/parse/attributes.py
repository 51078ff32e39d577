"""What the standard finds in the values of attributes: image candidates, refreshes, tokens, directives.

Rules
- Each grammar is one pass over the text, also when the text was made to be slow: no pattern here can go back.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterator

MAX_DIRECTIVES = 1000  # characters of them that are looked at
MAX_CANDIDATES = 1000

SPACE = "\t\n\f\r "  # ASCII white space (Infra): nothing else separates or surrounds a value
_CANDIDATE = re.compile(
    rf"[{SPACE},]*+(?P<url>[^{SPACE}]++)"
    r"(?:(?<=,)|(?P<descriptors>(?:[^,(]++|\([^)]*+\)?)*+,?+))"  # a URL that ends with a comma has none
)
_WIDTH = r"0*+[1-9][0-9]*+w"
_HEIGHT = r"0*+[1-9][0-9]*+h"
_DENSITY = r"(?:[0-9]++(?:\.[0-9]++)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+x"
_DESCRIPTORS = re.compile(  # one width, a width and a height, one density, or nothing
    rf"[{SPACE}]*+(?:(?:{_WIDTH}(?:[{SPACE}]++{_HEIGHT})?|{_HEIGHT}[{SPACE}]++{_WIDTH}|{_DENSITY})[{SPACE}]*+)?,?"
)
_REFRESH = re.compile(
    rf"[{SPACE}]*+(?:[0-9]++|(?=\.))[0-9.]*+(?=[;,{SPACE}])[{SPACE}]*+[;,]?+[{SPACE}]*+"
    rf"(?:url[{SPACE}]*+=[{SPACE}]*+)?+",
    re.IGNORECASE,
)


class TooManyCandidates(Exception):
    """MAX_CANDIDATES of a `srcset` are read, and there is another."""


def candidates(srcset: str) -> Iterator[str]:
    """The URLs of a `srcset` (HTML, "parse a srcset attribute"); those with descriptors that are none are left out.

    Raises:
        TooManyCandidates: there are more than MAX_CANDIDATES.
    """
    at = count = 0
    while found := _CANDIDATE.match(srcset, at):
        if (count := count + 1) > MAX_CANDIDATES:
            raise TooManyCandidates
        url, at = found["url"], found.end()
        if url.endswith(","):
            yield url.rstrip(",")
        elif _DESCRIPTORS.fullmatch(found["descriptors"]):
            yield url


def refresh(content: str) -> str | None:
    """The URL of a `<meta http-equiv=refresh>` (HTML, "shared declarative refresh steps"); None = the page itself."""
    found = _REFRESH.match(content)
    if not found:
        return None
    url = content[found.end() :]
    if url[:1] in {'"', "'"}:
        url = url[1:].partition(url[0])[0]
    return url or None


def has_token(tokens: str, token: str) -> bool:
    """Whether a token, in lower case, is in a list that is separated by white space."""
    lowered = tokens.lower()
    return token in lowered and token in _WORD.findall(lowered)


def words(text: str) -> list[str]:
    """The words between ASCII white space (Infra, "split on ASCII whitespace")."""
    return _WORD.findall(text)


_WORD = re.compile(rf"[^{SPACE}]++")


def directives(content: str) -> frozenset[str]:
    """The directives for robots of a `content`: separated by commas, or by white space where none has a value.

    White space is any here: no standard says which, and a wish that is heard in vain costs less than one that is lost.
    """
    parts = (part.strip() for part in content[:MAX_DIRECTIVES].lower().split(","))
    return frozenset(word for part in parts for word in ([part] if ":" in part else part.split()))
