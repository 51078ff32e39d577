"""The built-in site knows what each of its pages holds, so every one of them is read and compared."""

from crawler.core.urls import parse as url
from crawler.encoding.labels import named
from crawler.parse.document import Document, Reading
from crawler.parse.document_reader import read
from crawler.parse.links import NAVIGATION, LinkKind
from crawler.site.plan import SitePlan
from crawler.site.truth import Site


def told_by(site: Site, host: int, path: str) -> Reading:
    """Return the reading of the document at this path of a host."""
    page = site.page(host, path)
    assert page is not None
    content_type = dict(page.headers).get("Content-Type")
    return read(Document(url=url(site.base_urls[host] + path), body=page.decoded, content_type=content_type))


def test_every_page_of_the_site_tells_what_the_site_knows() -> None:
    """Title, encoding and links, in every alphabet and every spelling that the site has."""
    site = Site(SitePlan(pages=600, hosts=2, largest=2000))
    charsets = set()

    for host, base in enumerate(site.base_urls):
        for path in site.paths(host):
            page, told = site.page(host, path), told_by(site, host, path)
            assert page is not None
            links = {link.url.href for link in told.links or () if link.kind in NAVIGATION}
            assert links == {url(link, url(base + path)).href for link in page.links}, path
            assert (told.title, told.charset) == (page.title, named(page.charset)), path
            charsets.add(told.charset)

    assert charsets >= {"utf-8", "utf-16le", "utf-16be", "windows-1252", "shift_jis"}


def test_the_sitemaps_of_the_site_lead_to_its_pages() -> None:
    """First to their parts, and each part to its pages."""
    site = Site(SitePlan(pages=2500, largest=0))
    known = set(site.urls())

    index = told_by(site, 0, "/sitemap.xml").links or ()
    listed = [link for part in index for link in told_by(site, 0, part.url.target).links or ()]

    assert {link.kind for link in index} == {LinkKind.SITEMAP}
    assert {link.kind for link in listed} == {LinkKind.LOC}
    assert len(listed) > 2000
    assert {link.url.href for link in listed} <= known
