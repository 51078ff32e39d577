"""The way on which a URL was reached, as one value wherever it travels: in a find, a row, a request, a report.

Rules
- A find and a row have the same fields here, so a further fact about the path of a URL is added in this file, in the
  table of `frontier/columns.py`, and where finds are merged (`core/merging.py`).
- Two facts stay apart. `guess` is about the spelling of the URL: it ranks no way, and a hop does not pass it on.
  `named` is a fact of the host, stored in the host's row.
Runs on: anywhere (pure).
"""

import msgspec


class Way(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One way to a URL. The order of the fields is the order in packed finds, and of the columns in a row.

    Attributes:
        seed: the user listed the URL, or redirects lead to it from a URL that the user listed.
        depth: links followed from a seed to here; a redirect keeps its source's depth.
        hops: redirects and refreshes followed at this depth; 0 for a URL that a link leads to.
        chain: the redirects and refreshes since the last link or line, on the way that has the fewest.
        foreign: a redirect from another origin leads here, so the user's headers and credentials stay away.
        sitemap: the URL was listed as a sitemap, so it is read as one, plain text too, and lies in scope anywhere.
        lastmod: when its page was last changed, as a sitemap says.
    """

    seed: bool = False
    depth: int = 0
    hops: int = 0
    chain: int = 0
    foreign: bool = False
    sitemap: bool = False
    lastmod: str | None = None

    def is_better_than(self, other: "Way") -> bool:
        """Return whether this way beats another: a seed, then fewer links, then fewer hops, then the same origin."""
        if self.seed != other.seed:
            return self.seed
        if self.depth != other.depth:
            return self.depth < other.depth
        if self.hops != other.hops:
            return self.hops < other.hops
        return other.foreign and not self.foreign


START = Way()
"""The way to a URL of depth 0 that is no seed, such as one that a caller asks for by itself."""
