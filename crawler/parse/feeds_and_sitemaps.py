"""The reader of feeds (RSS 0.9 to 2.0, Atom) and of sitemaps in XML.

Rules
- The root element decides between feed and sitemap, not the media type; `feed_elements.py` reads the elements.
- XML that is not well-formed is read on where that is safe (`loose_xml.py`), and the listing says so.
- No entity is ever declared, so no entity can expand, and nothing outside is fetched. A document that declares one is
  read without it, and counts as broken.
Strategy: expat, event by event. A second, lenient reader takes what expat refuses, and every document with a document
type: expat drops its entities without a word.
Runs on: anywhere (pure).
"""

from contextlib import suppress
from typing import NoReturn
from xml.parsers import expat

from crawler.core.urls import Url
from crawler.parse.feed_and_sitemap_elements import ENTRIES, Enough, FeedReader, Listing
from crawler.parse.loose_xml import LooseReader
from crawler.parse.references import References, TooManyLinks


def read(xml: str, document: Url, *, is_damaged: bool = False) -> Listing:
    """Return the contents of a feed or a sitemap, and of other XML only the root.

    `is_damaged`: some of its bytes are no characters, and U+FFFD stands for each.
    """
    reader = FeedReader(References(document), is_damaged=is_damaged)
    is_refused = "\0" in xml  # no XML holds one, and expat would take it for UTF-16
    try:
        if not is_refused:
            with suppress(TooManyLinks, Enough):
                _parser(reader).Parse(xml, True)  # noqa: FBT003 - expat takes no names
            return reader.listing(is_broken=is_damaged)
    except expat.ExpatError:
        is_refused = True
    except _HasDoctype:
        pass
    reader = FeedReader(References(document), is_damaged=True)
    loose = LooseReader(reader, frozenset(ENTRIES.values()))
    with suppress(TooManyLinks, Enough):
        loose.read(xml)
    return reader.listing(is_broken=is_damaged or loose.is_broken or (is_refused and not loose.guesses))


class _HasDoctype(Exception):
    """The document has a document type, so expat cannot be trusted with its entities."""


def _parser(reader: FeedReader) -> expat.XMLParserType:
    def refuse(*_declaration: object) -> NoReturn:
        raise _HasDoctype

    parser = expat.ParserCreate("utf-8")  # the text was decoded before, whatever its declaration says
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    return parser
