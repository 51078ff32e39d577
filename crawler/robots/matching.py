"""The matching of URLs with the patterns and wildcards of a robots.txt, octet by octet (RFC 9309, 2.2.2 and 2.2.3).

Rules
- Both sides are normalised first. An escape of an unreserved or reserved ASCII character becomes that character, an
  octet that a URL cannot hold becomes its escape, and hex digits are upper case. No octet is read as text.
- `%2F` in a path is no slash: a path would have another number of segments. In a query the two are equal, as in the
  RFC's example of `?baz=https://foo.bar`.
- `*` stands for any octets, a final `$` for the end of the URL. `%2A` and `%24` are the characters themselves.
- The longest pattern that matches decides, counted in octets of its normal form; among equals one that allows; among
  those the first.
- `Allow: /a/index.html` also allows `/a/`, as in Google's parser.
- The work for one URL is bounded. Beyond `MOST_WORK`, a Disallow counts as far as its first `*`, an Allow not at all.
Strategy: patterns without a wildcard are looked up, one look-up for each length that occurs. A wildcard takes the first
place where its pattern can go on and never goes back, so one pattern costs one pass over the URL.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from crawler.robots.parser import Rule

# Characters of a URL times characters behind wildcards. The most hostile patterns take 50 ms for this many; a real
# robots.txt has some thousand characters behind wildcards, and a URL some hundred.
MOST_WORK = 100_000_000

_Weight = tuple[int, bool, int]  # octets, whether it allows, and its place below zero; the greatest decides


class _Wildcard(NamedTuple):
    """A pattern with wildcards, as the texts around them: the first begins the URL, and none in the middle is empty."""

    weight: _Weight
    head: str
    middle: tuple[str, ...]
    tail: str
    is_anchored: bool

    @property
    def size(self) -> int:
        """Number of characters behind wildcards."""
        return sum(map(len, self.middle)) + len(self.tail)

    def matches(self, url: str) -> bool:
        """Return whether the texts occur in the URL in this order."""
        if not url.startswith(self.head):
            return False
        at = len(self.head)
        for text in self.middle:
            if (found := url.find(text, at)) < 0:
                return False
            at = found + len(text)
        if self.is_anchored:
            return len(url) - len(self.tail) >= at and url.endswith(self.tail)
        return url.find(self.tail, at) >= 0


class Decision(NamedTuple):
    """The verdict about a URL, and the rule that decides, by its place among those that concern this robot."""

    place: int
    allow: bool


class Patterns:
    """The Allow and Disallow rules that concern one robot; their texts are not kept."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._prefixes: dict[str, _Weight] = {}
        self._whole: dict[str, _Weight] = {}  # patterns that end in `$` and have no wildcard
        self._wildcards: list[_Wildcard] = []
        for place, rule in enumerate(rules):
            self._add(rule.pattern, rule.allow, place)
            folder, slash, page = rule.pattern.rpartition("/")
            if rule.allow and slash and page in {"index.html", "index.htm"}:
                self._add(f"{folder}/$", rule.allow, place)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        self._wildcards.sort(reverse=True)
        self._size = sum(pattern.size for pattern in self._wildcards)

    def _add(self, pattern: str, allow: bool, place: int) -> None:  # noqa: FBT001 - a part of the weight
        is_anchored = pattern.endswith("$")
        path, mark, query = pattern.removesuffix("$").partition("?")
        head, *others = (_normal(text) for text in f"{path}{mark}{_slashed(query)}".split("*"))
        weight = (len(head) + sum(map(len, others)) + len(others) + is_anchored, allow, -place)
        if others:
            middle = tuple(text for text in others[:-1] if text)
            self._wildcards.append(_Wildcard(weight, head, middle, others[-1], is_anchored))
        else:
            known = self._whole if is_anchored else self._prefixes
            known[head] = max(weight, known.get(head, weight))

    def decide(self, target: str) -> Decision | None:
        """Return the rule that decides about a URL's path and query; None = no rule matches, which allows."""
        if _ODD.search(target):
            path, mark, query = target.partition("?")
            spellings = dict.fromkeys((target, f"{path}{mark}{_slashed(query)}"))
            weight = max(filter(None, (self._heaviest(_normal(url)) for url in spellings)), default=None)
        else:
            weight = self._heaviest(target)
        return Decision(-weight[2], weight[1]) if weight else None

    def _heaviest(self, url: str) -> _Weight | None:
        heaviest = self._whole.get(url)
        for length in self._lengths:
            if found := self._prefixes.get(url[:length]):
                heaviest = max(found, heaviest or found)
                break
        if self._size * len(url) > MOST_WORK:
            return self._heaviest_in_bounds(url, heaviest)
        for pattern in self._wildcards:
            if heaviest and pattern.weight < heaviest:
                break
            if pattern.matches(url):
                return pattern.weight
        return heaviest

    def _heaviest_in_bounds(self, url: str, heaviest: _Weight | None) -> _Weight | None:
        """Return the heaviest match that MOST_WORK allows to find."""
        left = MOST_WORK
        for pattern in self._wildcards:
            if heaviest and pattern.weight < heaviest:
                break
            if not url.startswith(pattern.head):
                continue
            left -= pattern.size * len(url)
            is_allow = pattern.weight[1]
            if pattern.matches(url) if left >= 0 else not is_allow:
                return pattern.weight
        return heaviest


# --- the normal form -------------------------------------------------------------------------------------------------

# The unreserved and the reserved characters of RFC 3986, which a URL may hold. A slash is kept apart.
_PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:?#[]@!$&'()*+,;="
_ODD = re.compile(rf"%([0-9A-Fa-f]{{2}})|[^%/{re.escape(_PLAIN)}]")
_NORMAL = {f"{octet:02X}": chr(octet) if chr(octet) in _PLAIN else f"%{octet:02X}" for octet in range(256)}


def _normal(text: str) -> str:
    """Return the normal form of a path or pattern."""
    if not text.isascii():
        text = text.encode("utf-8", "surrogatepass").decode("latin-1")
    return _ODD.sub(lambda odd: _NORMAL[odd[1].upper()] if odd[1] else f"%{ord(odd[0]):02X}", text)


def _slashed(query: str) -> str:
    return query.replace("%2F", "/").replace("%2f", "/")
