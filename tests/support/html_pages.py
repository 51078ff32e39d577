"""An HTML page as a parser sees it: its elements, its attributes and its text."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "input", "hr"}


@dataclass
class Element:
    """One element with its attributes and all text within it."""

    name: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """The elements of a page in document order."""

    elements: list[Element] = field(default_factory=list)
    open_elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare the parser."""
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self.open_elements.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element of SVG that closes itself."""
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must have this name."""
        assert self.open_elements, tag
        assert self.open_elements.pop().name == tag

    def handle_data(self, data: str) -> None:
        """Give text to all elements around it."""
        for element in self.open_elements:
            element.text += data

    def named(self, *names: str) -> list[Element]:
        """All elements of these names."""
        return [element for element in self.elements if element.name in names]


def parsed(text: str) -> Page:
    """Return the page, whose elements all are closed in order."""
    page = Page()
    page.feed(text)
    page.close()
    assert page.open_elements == []
    return page
