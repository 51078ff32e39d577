"""Looking back at a shared run that cannot be read: one clear line, and the documented exit code."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from crawler.cli.main import _run
from crawler.core.errors import StorageError
from crawler.frontier.postgres.at_rest import at_rest
from support.commands import one_line
from support.databases import cutting_proxy, running_server
from support.two_workers import RUN, TwoWorkers

COMMANDS = {
    "verify": ["verify", "{dsn}"],
    "hosts": ["hosts", "{dsn}"],
    "why": ["why", "http://h/", "{dsn}"],
    "robots": ["robots", "http://h/", "--run", "{dsn}"],
    "workers": ["workers", "{dsn}"],
    "summary": ["summary", "{dsn}"],
}


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> list[str]:
    """A command that looks back at a run."""
    return COMMANDS[request.param]


def told(command: list[str], dsn: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit code of a command over this database, and the one line that it prints."""
    code = _run([part.format(dsn=dsn) for part in command])
    return code, one_line(capfd)


def test_a_database_without_a_run(command: list[str], database: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The line says how one begins."""
    code, line = told(command, database, capfd)

    assert code == 2
    assert ": there is no run; `crawler crawl ... --frontier " in line


def test_several_runs_and_no_name(shared: TwoWorkers, command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """They are listed; one can be named."""
    with psycopg.connect(shared.dsn, autocommit=True) as db:
        db.execute("CREATE SCHEMA crawler_other")

    code, line = told(command, shared.dsn, capfd)

    assert code == 2
    assert line.endswith(f"there are several runs; name one with --name: {RUN}, other")
    assert _run(["workers", shared.dsn, "--name", RUN]) == 0


def test_a_run_of_another_version(shared: TwoWorkers, command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """It is not read at all."""
    shared.change("UPDATE meta SET value = 0 WHERE key = 'version'")

    assert told(command, shared.dsn, capfd) == (
        5,
        f"crawler: run {RUN}: made by another version (format 0, ours is 1); use that one",
    )


@contextmanager
def role(dsn: str, rights: str) -> Iterator[str]:
    """Give the DSN of a new user with these rights."""
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(f"CREATE ROLE reader LOGIN; {rights}".encode())
        try:
            yield dsn.replace("crawler@", "reader@")
        finally:
            db.execute("DROP OWNED BY reader; DROP ROLE reader")


def test_a_user_without_rights(shared: TwoWorkers, command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """The line names the right that is missing; a run that one may not see is not taken for one that is gone."""
    with role(shared.dsn, "") as dsn:
        code, line = told(command, dsn, capfd)

    assert code == 5
    assert line.endswith(
        f"run {RUN}: this user has no right to it: GRANT USAGE ON SCHEMA crawler_{RUN}, and rights to its tables"
    )


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_rights_to_read_are_enough(
    shared: TwoWorkers, command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """USAGE of the schema and SELECT on its tables."""
    schema = f"crawler_{RUN}"
    rights = f"GRANT USAGE ON SCHEMA {schema} TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader"
    url = f"http://{shared.hosts[0]}/1"
    with role(shared.dsn, rights) as dsn:
        assert _run([part.format(dsn=dsn).replace("http://h/", url) for part in command]) == 0
    assert capfd.readouterr().err == ""


def test_a_user_or_database_that_there_is_not(
    shared: TwoWorkers, command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """No start of a server would mend that."""
    for dsn, what in (
        (shared.dsn.replace("crawler@", "nobody@"), 'role "nobody" does not exist'),
        (f"{shared.dsn}x", 'x" does not exist'),
    ):
        code, line = told(command, dsn, capfd)

        assert code == 5
        assert f"{what}; mend its name, user or password" in line


def test_a_server_that_is_full(capfd: pytest.CaptureFixture[str]) -> None:
    """The line names the setting that bounds its connections."""
    with running_server() as server, ExitStack() as stack:
        connect_to_the_last(server.dsn, stack)

        code, line = told(["hosts", "{dsn}"], server.dsn, capfd)

    assert code == 5
    assert "too many clients already; raise max_connections there, or end some of its clients" in line


def connect_to_the_last(dsn: str, stack: ExitStack) -> None:
    """Take all connections that a server has."""
    while True:
        try:
            stack.enter_context(psycopg.connect(dsn))
        except psycopg.OperationalError:
            return


# psycopg warns that the cursor of a lost connection was never closed
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_is_gone_in_the_middle(shared: TwoWorkers) -> None:
    """Between two questions, and between two rows of an answer."""
    with cutting_proxy(shared.dsn) as proxy:
        for question in ("SELECT id FROM url", "SELECT generate_series(1, 1000000)"):
            with pytest.raises(StorageError, match="start the database, or mend its address"):
                cut_while_reading(proxy.dsn, question, proxy.cut)


def cut_while_reading(dsn: str, question: str, cut: Callable[[], None]) -> None:
    """Open a run, and lose the connection behind the first row."""
    with at_rest(dsn, RUN) as frontier, frontier.gate():
        for _ in frontier.tables.scan(question):
            cut()
        frontier.tables.row("SELECT 1")


def test_a_database_with_a_password_is_not_known_to_a_folder(
    shared: TwoWorkers, capfd: pytest.CaptureFixture[str]
) -> None:
    """No folder stores it, so the database must be named."""
    config = shared.folders[1] / "config.toml"
    config.write_text(config.read_text("utf-8").replace(f'frontier = "{shared.dsn}"\n', ""), "utf-8")

    assert _run(["hosts", str(shared.folders[1])]) == 2
    assert one_line(capfd).endswith("w2: its database has a password, which no folder stores: name the database")


def test_no_look_makes_a_private_server(tmp_path: Path, command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """A folder that has none stays as it is."""
    code, line = told(command, f"embedded:{tmp_path}/db", capfd)

    assert code == 2
    assert f"{tmp_path}/db: no run is there" in line
    assert list(tmp_path.iterdir()) == []
