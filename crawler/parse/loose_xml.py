"""A lenient reader of XML: for documents that expat refuses, and for those with a document type.

Rules
- It sends the same events as expat. `is_broken` tells afterwards whether the document is well-formed without entities
  of its own.
- A document type may give elements an xml:base that is not written there (XML 1.0, 3.3.2): then it is UNKNOWN.
- A bare `&` is itself. HTML's entities are resolved, except in a document that declares entities, since it may have
  redefined them. No declared entity is ever expanded.
- UNKNOWN stands in a text for characters that the document does not tell: one that XML forbids, an unknown entity, the
  rest of an attribute without quotes. The receiver of the text sees that it is not whole.
- An element that ends because another one does has no text. A tag that ends nothing is UNKNOWN in the text. An entry
  of a list ends at the latest where the next one starts.
Strategy: one pattern, each part of which ends at the next `<` or is searched once, so the time is linear.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Mapping
from html.entities import html5
from typing import Final, Protocol

UNKNOWN: Final = "\ufffd"

_NAME = r"[^\W\d][\w.:-]*+"
_TOKEN = re.compile(
    r"(?P<text>[^<]++)"
    rf"|</(?P<end>{_NAME})[\t\n\r ]*+>"
    rf"|<(?P<start>{_NAME})(?P<attributes>(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+)>"
    r"|<!--.*?(?:(?P<comment>-->)|(?P<open_comment>\Z))"
    r"|<!\[CDATA\[(?P<section>.*?)(?:\]\]>|(?P<open_section>\Z))"
    r"|<\?(?P<instruction>.*?)(?:\?>|(?P<open_instruction>\Z))"
    r"|(?P<stray><)",
    re.DOTALL,
)
_DOCTYPE = re.compile(
    r"<!DOCTYPE(?:[^\[<>\"']++|\"[^\"]*+\"|'[^']*+')*+"
    r"(?:\[(?P<subset>(?:<!--.*?(?:-->|\Z)|[^\]\"'<]++|\"[^\"]*+\"|'[^']*+'|<)*+)\][\t\n\r ]*+)?+>",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"(?P<name>[^\t\n\r =/\"']++)"
    r"(?:[\t\n\r ]*+=[\t\n\r ]*+(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'|(?P<bare>[^\t\n\r \"']++))?+)?+"
    r"|[^\t\n\r ]"
)
_REFERENCE = re.compile(rf"&(?:(?:#(?P<decimal>[0-9]++)|#x(?P<hex>[0-9a-fA-F]++)|(?P<name>{_NAME}));)?+")
_FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0, 2.2
_PREDEFINED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}  # XML 1.0, 4.6
_LONGEST_NUMBER = 7  # digits of U+10FFFF, in decimal
_AS_SPACES = str.maketrans("\t\n\r", "   ")  # XML 1.0, 3.3.3


class Events(Protocol):
    """The receiver of a document's elements and texts.

    Attributes:
        text: of the innermost element, in pieces; the receiver empties it.
        is_guessed: a name of HTML's was resolved in the text, or in the attributes of the element that starts.
    """

    text: list[str]
    is_guessed: bool

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take an element's start."""
        ...

    def end(self, name: str) -> None:
        """Take an element's end."""
        ...


class LooseReader:
    """A source of a document's events, whatever the document is; elements named in `entries` never nest.

    Attributes:
        is_broken: the document is not well-formed, or declares entities.
        guesses: number of HTML's entities that were resolved and that the document does not declare.
    """

    def __init__(self, events: Events, entries: frozenset[str] = frozenset()) -> None:
        self.is_broken = False
        self.guesses = 0
        self._events = events
        self._entries = entries
        self._open: list[str] = []
        self._has_root = False
        self._has_hidden_bases = False
        self._entities: Mapping[str, str] = html5

    def read(self, xml: str) -> None:
        """Read a document; an exception of the receiver ends it."""
        xml, forbidden = _FORBIDDEN.subn(UNKNOWN, xml)
        self.is_broken = bool(forbidden)
        at = 0
        while found := _TOKEN.match(xml, at):
            at = found.end()
            if found["stray"] and not self._has_root and (doctype := _DOCTYPE.match(xml, found.start())):
                at = doctype.end()
                subset = doctype["subset"] or ""
                if "<!ENTITY" in subset:
                    self.is_broken = True
                    self._entities = {}
                if "xml:base" in subset:
                    self.is_broken = self._has_hidden_bases = True
            elif found["stray"] and xml[at : at + 8].upper() == "!DOCTYPE":
                self.is_broken = True  # it has no end, and its declarations could be taken for the document
                return
            else:
                self._take(found)
        self.is_broken |= bool(self._open) or not self._has_root

    def _take(self, found: re.Match[str]) -> None:
        match found.lastgroup:
            case "text" if self._open:
                text = found["text"]
                self._events.text.append(self._resolved(text) if "&" in text else text)
            case "text":
                self.is_broken |= bool(found["text"].strip("\t\n\r "))
            case "end" if self._open[-1:] == [found["end"]]:
                self._open.pop()
                self._events.end(found["end"])
            case "end" if found["end"] in self._open:
                self._close(found["end"])
            case "attributes":
                self._start(found["start"], found["attributes"])
            case "section" if self._open:
                self._events.text.append(found["section"])
            case "instruction":
                is_late = found.start() > 0 and found["instruction"][:4].rstrip("\t\n\r ") == "xml"
                self.is_broken |= is_late
            case "comment":
                pass
            case _:
                self.is_broken = True
                self._events.text.append(UNKNOWN)

    def _start(self, name: str, written: str) -> None:
        if not self._open:
            self.is_broken |= self._has_root
            self._has_root = True
        if name in self._entries and name in self._open:
            self._close(name)
        self._events.is_guessed = False
        self._events.start(name, self._attributes(written.removesuffix("/")))
        if written.endswith("/"):
            self._events.end(name)
        else:
            self._open.append(name)

    def _attributes(self, written: str) -> dict[str, str]:
        attributes: dict[str, str] = {}
        for found in _ATTRIBUTE.finditer(written):
            value = found["double"] if found["double"] is not None else found["single"]
            if value is None:
                value = (found["bare"] or "") + UNKNOWN
                self.is_broken = True
            if found["name"]:
                self.is_broken |= found["name"] in attributes
                attributes.setdefault(found["name"], self._resolved(value.translate(_AS_SPACES)))
        if self._has_hidden_bases:
            attributes.setdefault("xml:base", UNKNOWN)
        return attributes

    def _close(self, name: str) -> None:
        """End an element, and all that are open inside, without their texts."""
        self.is_broken = True
        closed = ""
        while closed != name:
            closed = self._open.pop()
            self._events.text.clear()
            self._events.end(closed)

    def _resolved(self, text: str) -> str:
        return _REFERENCE.sub(self._meaning, text)

    def _meaning(self, reference: re.Match[str]) -> str:
        name = reference["name"]
        if name in _PREDEFINED:
            return _PREDEFINED[name]
        if name and (meant := self._entities.get(f"{name};")):
            self._events.is_guessed = True
            self.guesses += 1
            return meant
        meant = "&" if reference[0] == "&" else _character(reference)
        self.is_broken |= reference[0] == "&" or meant == UNKNOWN
        return meant


def _character(reference: re.Match[str]) -> str:
    """Return the character of a number; UNKNOWN for a name, and for a number that XML forbids."""
    digits = (reference["decimal"] or reference["hex"] or "").lstrip("0")
    if not digits or len(digits) > _LONGEST_NUMBER:
        return UNKNOWN
    number = int(digits, 10 if reference["decimal"] else 16)
    return UNKNOWN if number > 0x10FFFF or _FORBIDDEN.match(chr(number)) else chr(number)
