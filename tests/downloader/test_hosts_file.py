"""downloader.hosts_file: names and addresses of a hosts file."""

import os
import socket
from pathlib import Path

from crawler.downloader.hosts_file import HostsFile


def test_each_line_gives_its_names_an_address(tmp_path: Path) -> None:
    """In any case; comments, and lines without an address, say nothing."""
    file = tmp_path / "hosts"
    file.write_text(
        "# 127.0.0.1 commented.example\n\n127.0.0.1\tA.example b.example # c.example\n"
        "::1 a.example\nnone d.example\n0.0.0.0\n"
    )

    hosts = HostsFile(file)

    assert hosts.addresses("a.example") == ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
    assert hosts.addresses("b.example.") == ((socket.AF_INET, "127.0.0.1"),)
    assert [hosts.addresses(f"{name}.example") for name in ("commented", "c", "d")] == [(), (), ()]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """Its date or its length tells of the change."""
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 a.example\n")
    hosts = HostsFile(file)
    assert hosts.addresses("a.example")

    file.write_text("127.0.0.1 b.example\n")
    os.utime(file, ns=(1, 1))

    assert hosts.addresses("b.example")
    assert not hosts.addresses("a.example")


def test_without_a_file_there_are_no_names(tmp_path: Path) -> None:
    """Nothing is wrong with a machine that has none."""
    assert HostsFile(tmp_path / "none").addresses("a.example") == ()
