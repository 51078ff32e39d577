"""Files are whole or not there, and an error of the disk says what to do."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.core.errors import StorageError
from crawler.run.disk import write_all, write_whole


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_every_byte_is_written_however_few_are_taken(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may take less than it is given; the rest follows in order."""
    taken = bytearray()

    def take_some(_: int, data: memoryview) -> int:
        taken.extend(data[:most])
        return min(most, len(data))

    monkeypatch.setattr(os, "write", take_some)
    data = bytes(range(256)) * 3

    write_all(1, data)

    assert taken == data


def test_a_file_that_fails_half_way_stays_as_it_was(tmp_path: Path) -> None:
    """The old content stays, and nothing of the new one."""

    def parts() -> Iterator[bytes]:
        yield b"half"
        raise OSError(5, "Input/output error")

    path = tmp_path / "page.html"
    write_whole(path, [b"old"])

    with pytest.raises(StorageError, match=r"page\.html: Input/output error; check the disk, then resume"):
        write_whole(path, parts())

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"page.html": b"old"}
