"""The formats of a file of targets, and the choice among them by its first lines.

Rules
- JSON that begins with `log` is a HAR file. A JSON line is a run's page, vegeta's target or a log line by its keys; a
  line with method and URL, but no time and no status, is vegeta's, where a misspelt key is refused.
- A file is an access log if one of its first lines has the form of one: a scan's garbage may come first.
- The rest is text. `--targets-format` overrules all.
- Text and vegeta's JSON are written by the user. The others were recorded: their requests are those of anybody, so a
  method that changes something has to be allowed, and `${` in them is no template.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Mapping
from itertools import islice

import msgspec

from crawler.load.targets.access_log import is_access_log, parse_log
from crawler.load.targets.har import parse_har
from crawler.load.targets.json_log import parse_json_log
from crawler.load.targets.line import LineParser
from crawler.load.targets.pages import parse_page
from crawler.load.targets.text_lines import parse_text
from crawler.load.targets.vegeta import KEYS, parse_vegeta

WRITTEN = frozenset({"text", "vegeta"})
_FIRST = 20  # lines
_HAR = re.compile(rb'\s*\{\s*"log"\s*:\s*\{')

PARSERS: Mapping[str, LineParser] = {
    "text": parse_text,
    "vegeta": parse_vegeta,
    "har": parse_har,
    "log": parse_log,
    "json-log": parse_json_log,
    "pages": parse_page,
}
IDLE: Mapping[str, tuple[str, str]] = {
    "har": ("record", "that no server can be asked for (data:, blob:, ws:)"),
    "pages": ("page", "without an answer"),
}
"""A record that is no request, in words; in the other formats only a blank line is none."""


def format_of(head: bytes) -> str:
    """Return the format of a file that begins so."""
    if _HAR.match(head):
        return "har"
    lines = [line for line in head.splitlines() if line.strip()]
    for line in islice(lines, _FIRST):
        if line.lstrip().startswith(b"{") and (found := _json_format(line)):
            return found
        if is_access_log(line):
            return "log"
    return "text"


def _json_format(line: bytes) -> str | None:
    try:
        keys = msgspec.json.decode(line, type=dict[str, msgspec.Raw]).keys()
    except (ValueError, RecursionError):
        return None
    if {"url", "outcome"} <= keys:
        return "pages"
    return "vegeta" if {"method", "url"} <= keys <= KEYS else "json-log"
