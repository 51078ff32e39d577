"""load.targets.serialise: a path is sent in its canonical form, however quickly that was found."""

from hypothesis import example, given
from hypothesis import strategies as st

from crawler.core.urls import parse
from crawler.load.targets.serialise import canonical_target


@given(st.text(alphabet="/.a-~%2eE?&=#'\\\" :@;,+$!*()é", max_size=30))
@example("/.well-known/x")
@example("/a/../b")
@example("/a/.")
@example("/a.b/c..d?x=/../")
@example("/%2e%2e/")
@example("//h/x")
def test_a_target_is_what_a_url_would_have(text: str) -> None:
    """The quick way and the parser agree."""
    assert canonical_target("/" + text) == parse("http://h/" + text).target
