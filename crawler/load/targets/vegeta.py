"""Reading of a target in vegeta's JSON format: one object on each line.

Rules
- The keys are those of vegeta's own schema: `method` and `url`, and `header` (a name to a list of values) and `body`
  (base64). Two are ours, `weight` and `tag`. Any other key is refused: a misspelt one would change what is sent.
- Headers are sent as written, Host too, as vegeta does. `message.py` refuses those that contradict the framing.
Runs on: anywhere (pure).
"""

import msgspec

from crawler.load.targets.line import TargetLine, checked_headers, checked_method, checked_url, from_json
from crawler.load.targets.text_lines import weight_of


class _Target(msgspec.Struct, forbid_unknown_fields=True):
    method: str
    url: str
    header: dict[str, list[str] | None] | None = None
    body: bytes | None = None
    weight: float = 1.0
    tag: str | None = None


KEYS = frozenset(_Target.__struct_fields__)
_DECODER = msgspec.json.Decoder(_Target)


def parse_vegeta(raw: bytes, number: int) -> TargetLine | None:
    """Return the target of a line, or None for a blank line.

    Raises:
        ValueError: the line cannot be read.
    """
    if not raw.strip():
        return None
    found = from_json(_DECODER, raw)
    headers = found.header or {}
    return TargetLine(
        method=checked_method(found.method),
        url=checked_url(found.url),
        headers=checked_headers((name, value) for name, values in headers.items() for value in values or ()),
        body=found.body or None,
        weight=weight_of(found.weight),
        tag=found.tag or None,
        number=number,
    )
