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
_WIDTH = re.compile(r"0*+[1-9][0-9]*+w")
_HEIGHT = re.compile(r"0*+[1-9][0-9]*+h")
_DENSITY = re.compile(r"(?:[0-9]++(?:\.[0-9]++)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+x")
_REFRESH = re.compile(
    rf"[{SPACE}]*+(?:[0-9]++|(?=\.))[0-9.]*+(?=[;,{SPACE}])[{SPACE}]*+[;,]?+[{SPACE}]*+"
    rf"(?:url[{SPACE}]*+=[{SPACE}]*+)?+",
    re.IGNORECASE,
)


def candidates(srcset: str) -> Iterator[str]:
    """The URLs of a `srcset` (HTML, "parse a srcset attribute"); those with descriptors that are none are left out."""
    at = 0
    for _ in range(MAX_CANDIDATES):
        if not (found := _CANDIDATE.match(srcset, at)):
            return
        url, at = found["url"], found.end()
        if url.endswith(","):
            yield url.rstrip(",")
        elif _are_valid(found["descriptors"].removesuffix(",")):
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
    return token in tokens.lower().split()


def directives(content: str) -> frozenset[str]:
    """The directives for robots of a `content`: separated by commas, or by white space where none has a value."""
    parts = (part.strip() for part in content[:MAX_DIRECTIVES].lower().split(","))
    return frozenset(word for part in parts for word in ([part] if ":" in part else part.split()))


def _are_valid(descriptors: str) -> bool:
    """One width, a width and a height, or one density, or nothing."""
    words = descriptors.split(maxsplit=2)
    if len(words) == 2:
        return any(map(_WIDTH.fullmatch, words)) and any(map(_HEIGHT.fullmatch, words))
    return not words or (len(words) == 1 and bool(_WIDTH.fullmatch(words[0]) or _DENSITY.fullmatch(words[0])))
