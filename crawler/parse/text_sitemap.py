"""The reader of a sitemap in plain text: one URL per line (https://www.sitemaps.org/protocol.html#otherformats).

Rules
- A line is a whole URL; blank lines and comments, which begin with `#`, are skipped.
- A line with bytes that are no characters is a bad reference: a URL made of it would be an invention. So is a line with
  white space or a control character inside.
- A byte order mark around a line is dropped: concatenated files have one in the middle.
- The first 50,000 entries are taken, as of any sitemap.
Runs on: a worker process.
"""

from contextlib import suppress
from io import StringIO

from crawler.core.sitemaps import is_no_entry
from crawler.parse.attributes import SPACE
from crawler.parse.feed_and_sitemap_elements import MAX_ENTRIES
from crawler.parse.links import LinkKind
from crawler.parse.loose_xml import UNKNOWN
from crawler.parse.references import References, TooManyLinks

_AROUND = SPACE + "\ufeff"


def read(text: str, references: References) -> None:
    """Add the entries of a text to `references`."""
    entries = 0
    with suppress(TooManyLinks):
        for line in StringIO(text, newline=None):
            if not (url := line.strip(_AROUND)) or url.startswith("#"):
                continue
            if entries == MAX_ENTRIES:
                references.are_cut = True
                return
            entries += 1
            if UNKNOWN in url or is_no_entry(url):
                references.refuse(url)
            else:
                references.add(url, LinkKind.LOC)
