"""Reading of a list of targets that a person writes: a URL, or a method and a URL, on each line.

Rules
- `METHOD URL weight=3 tag=home`; all but the URL may be left out. A comment begins with `#`, at the beginning of a line
  or behind white space, as in the crawler's own lists; quotes and angle brackets around a URL are taken off as there.
- A URL is absolute or a path. A host without a scheme is asked over http, as on the command line.
- `${column}` may hold spaces: it is one word.
Runs on: anywhere (pure).
"""

import re

from crawler.core.text import safe
from crawler.load.targets.line import TargetLine, checked_method, checked_url, decoded
from crawler.run.list_line import uncommented, unwrapped

_WORDS = re.compile(r"(?:\$\{[^{}]*\}|\S)+")
_METHOD = re.compile(r"[A-Za-z][A-Za-z_-]*")
_HOST = re.compile(r"(?:localhost|(?=.*[.:/])(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+))(?::[0-9]{1,5})?(?:[/?#]|\Z)")


def parse_text(raw: bytes, number: int) -> TargetLine | None:
    """Return the target of a line, or None for a blank line or a comment.

    Raises:
        ValueError: the line cannot be read.
    """
    text = decoded(raw).strip()
    if not text or text[0] == "#":
        return None
    words = _WORDS.findall(uncommented(text) if "#" in text else text)
    method = "GET"
    if len(words) > 1 and _METHOD.fullmatch(words[0]) and "=" not in words[1].partition("/")[0]:
        method = checked_method(words.pop(0))
    url, *rest = words
    options = _options(rest)
    return TargetLine(
        method=method,
        url=_url(unwrapped(url)),
        weight=weight_of(options["weight"]) if "weight" in options else 1.0,
        tag=options.get("tag"),
        number=number,
    )


def _url(text: str) -> str:
    if "://" not in text and not text.startswith("/") and _HOST.match(text):
        return f"http://{text}"
    return checked_url(text)


def _options(words: list[str]) -> dict[str, str]:
    options = {}
    for word in words:
        name, equals, value = word.partition("=")
        if name not in {"weight", "tag"} or not equals or not value or name in options:
            raise ValueError(f"{safe(word, 40)!r} behind the URL: expected weight=NUMBER or tag=NAME, each once")
        options[name] = value
    return options


def weight_of(value: object) -> float:
    """Return a weight.

    Raises:
        ValueError: it is no number above 0.
    """
    try:
        weight = float(value)  # type: ignore[arg-type] # what it does not take is the point
    except (TypeError, ValueError):
        weight = 0.0
    if not 1e-9 <= weight <= 1e9:
        raise ValueError(f"weight {safe(str(value), 20)}: expected a number above 0, such as 3 or 0.5")
    return weight
