"""The grammars of attribute values: `srcset`, `<meta http-equiv=refresh>`, `rel` and robots directives.

Rules
- Each grammar is one pass over the text, also over hostile text: no pattern here backtracks.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterator

MAX_DIRECTIVES = 1000  # characters that are read
MAX_CANDIDATES = 1000

SPACE = "\t\n\f\r "  # ASCII white space (Infra): nothing else separates or surrounds a value
_CANDIDATE = re.compile(
    rf"[{SPACE},]*+(?P<url>[^{SPACE}]++)"
    r"(?:(?<=,)|(?P<descriptors>(?:[^,(]++|\([^)]*+\)?)*+,?+))"  # a URL that ends with a comma has no descriptors
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
    """A `srcset` holds more than MAX_CANDIDATES."""


def candidates(srcset: str) -> Iterator[str]:
    """Yield the URLs of a `srcset` (HTML, "parse a srcset attribute"), without those that have invalid descriptors.

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
    """Return the URL of a refresh (HTML, "shared declarative refresh steps"); None = the page itself."""
    found = _REFRESH.match(content)
    if not found:
        return None
    url = content[found.end() :]
    if url[:1] in {'"', "'"}:
        url = url[1:].partition(url[0])[0]
    return url or None


def has_token(tokens: str, token: str) -> bool:
    """Return whether a token, given in lower case, is in a list that white space separates."""
    lowered = tokens.lower()
    return token in lowered and token in _WORD.findall(lowered)


def words(text: str) -> list[str]:
    """Return the words between ASCII white space (Infra, "split on ASCII whitespace")."""
    return _WORD.findall(text)


_WORD = re.compile(rf"[^{SPACE}]++")


def directives(content: str) -> frozenset[str]:
    """Return the robots directives of a `content`: separated by commas, or by white space where none has a value.

    Any white space counts: no standard says which, and a lost directive is worse than a superfluous one.
    """
    parts = (part.strip() for part in content[:MAX_DIRECTIVES].lower().split(","))
    return frozenset(word for part in parts for word in ([part] if ":" in part else part.split()))
