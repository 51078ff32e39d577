"""frontier.postgres.connection: the name of a database is shown without its password, however it is spelled."""

import pytest

from crawler.core.errors import UsageError
from crawler.frontier.postgres.connection import parse_dsn, shown


@pytest.mark.parametrize(
    "password", ["hunter2", "hun/ter2", "hun#ter2", "hun?ter2", "hun%zzter2", "hun ter2", "hunter2@"]
)
def test_no_password_is_shown(password: str) -> None:
    """Neither in the name nor in an error about it, though it was not escaped."""
    dsn = f"postgresql://me:{password}@host/db"

    told = shown(dsn)
    try:
        parse_dsn(dsn)
    except UsageError as error:
        told += str(error)

    assert "ter2" not in told
    assert "hun" not in told


def test_what_is_no_secret_is_shown() -> None:
    """The user, the place and the database are told."""
    assert shown("postgresql://me:hunter2@host:5432/crawls?sslmode=require") == "postgresql://me@host:5432/crawls"
    assert shown("postgresql:///crawls") == "postgresql:///crawls"
