"""report.why.chain: the answer as lines of a terminal."""

from dataclasses import replace

from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.tables import WIDTH
from crawler.report.why.chain import chain_text
from support.url_histories import NOW, ask


def test_a_command_is_not_broken_into_lines() -> None:
    """Prose is wrapped at 80 columns; what is to be copied is not."""
    command = f"crawler fetch {'http://h/' + 'long/' * 30}"
    answer = replace(ask(), conclusion="word " * 40, change=("prose " * 40, command))

    lines = chain_text(answer)

    assert lines[-1] == f"          or: {command}"
    assert max(map(len, lines[:-1])) <= WIDTH


def test_nothing_that_is_stored_writes_to_the_terminal() -> None:
    """Text from outside is made safe wherever it stands."""
    copy = RobotsCopy(
        fetched_at=NOW, expires_at=NOW + 9, status=200, body=b"User-agent: *\nDisallow: /a*\x1b[2J\nDisallow: /a\n"
    )

    assert "\x1b" not in "\n".join(chain_text(ask(robots=copy, listed="in line 1 of \x1b[31m")))
