"""core.errors: the one exception tree."""

import copy
import pickle

import pytest

from crawler.core.errors import CrawlerError, FetchError, NoNameServer, ParseError, StatusError, UrlError
from crawler.core.reasons import Reason
from crawler.http.content_codings import DecodeProblem


def _tree(kind: type[CrawlerError]) -> list[type[CrawlerError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in _tree(below))]


def _raised(kind: type[CrawlerError]) -> CrawlerError:
    if issubclass(kind, NoNameServer):
        return kind("it broke", since=7.0)
    if issubclass(kind, StatusError):
        return kind("it broke", status=404, answer=None, request=None)
    if issubclass(kind, FetchError):
        return kind(Reason.TRUNCATED, "it broke", counted=False)
    return kind(Reason.NOT_A_URL, "it broke") if issubclass(kind, (UrlError, ParseError)) else kind("it broke")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", _tree(CrawlerError), ids=lambda kind: kind.__name__)
def test_an_error_comes_back_from_another_process_as_it_was(kind: type[CrawlerError], protocol: int) -> None:
    """Type, message, reason and every other field survive pickling."""
    error = _raised(kind)
    error.add_note("seen in a worker")

    back = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301, TID251 - that it can be done is the point

    assert type(back) is kind
    assert back.args == error.args == ("it broke",)
    assert vars(back) == vars(error)
    assert str(back) == "it broke"


def test_a_copy_of_an_error_is_the_same_error() -> None:
    """Copying goes the same way."""
    error = copy.deepcopy(DecodeProblem(Reason.DECODE_ERROR, "it broke"))

    assert (str(error), error.reason) == ("it broke", Reason.DECODE_ERROR)
