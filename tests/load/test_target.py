"""load.target: whom a load test may hit."""

from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from crawler.core.errors import TargetRefused, UsageError
from crawler.load.contradictions import configure_load
from crawler.load.prepare import prepare
from crawler.load.target import endpoint, exchange, identified, is_own, standard_input, target
from crawler.load.targets.make import make_targets


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "::ffff:127.0.0.1"])
def test_loopback_is_this_machine(address: str) -> None:
    """Every way to write it."""
    assert is_own(address)


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "8.8.8.8", "10.255.255.254", "169.254.169.254", "224.0.0.1", "255.255.255.255", "fe80::1"]
)  # fmt: skip
def test_everything_else_is_not(address: str) -> None:
    """Public, private, metadata, multicast and broadcast addresses that no interface of ours has."""
    assert not is_own(address)


@pytest.mark.parametrize("typed", ["http://127.0.0.1:8000/x", "127.0.0.1:8000/x"])
async def test_a_target_is_judged_and_resolved_once(typed: str) -> None:
    """The loop dials the address that was judged."""
    place = await endpoint(target(typed), configure_load({}).request)

    assert place.address == ("127.0.0.1", 8000)
    assert place.server_name is None


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", ["a..localhost", ".localhost", "a" * 64 + ".localhost", "b." * 127 + "c"])
async def test_what_can_be_no_name_is_refused(scheme: str, name: str) -> None:
    """RFC 1035, 2.3.4; TLS and the lookup cannot even write it."""
    with pytest.raises(UsageError, match="can be no host"):
        await endpoint(target(f"{scheme}://{name}:8000/"), configure_load({}).request)


async def test_somebody_else_s_machine_needs_the_user_s_word() -> None:
    """It is refused, and allowed by its own name alone."""
    url = target("http://192.0.2.1/")

    with pytest.raises(TargetRefused, match=r"--i-may-test 192\.0\.2\.1"):
        await endpoint(url, configure_load({}).request)
    place = await endpoint(url, configure_load({"i-may-test": "192.0.2.1"}).request)
    assert place.address == ("192.0.2.1", 80)


async def test_the_user_s_word_is_for_a_host_of_the_test(tmp_path: Path) -> None:
    """Another name is a slip, which is told before anything is sent."""
    with pytest.raises(UsageError, match="the host of this test is 127"):
        await prepare("http://127.0.0.1:9/", configure_load({"i-may-test": "192.0.2.2"}), tmp_path)


async def test_the_case_of_an_allowed_host_does_not_matter(tmp_path: Path) -> None:
    """Names of hosts have none: the URL and the option may be typed alike, or not."""
    for name in ("LOCALHOST", "localhost"):
        asked, _ = await prepare("http://LOCALHOST:1/", configure_load({"i-may-test": name}), tmp_path)

        assert asked.allowed_host == name


@pytest.mark.parametrize("port", [1, 22, 5060, 6000, 6666, 10080, 65535])
async def test_one_s_own_machine_has_all_ports(port: int) -> None:
    """Those that a crawl never asks, too."""
    place = await endpoint(target(f"http://127.0.0.1:{port}/"), configure_load({}).request)

    assert place.address == ("127.0.0.1", port)


@pytest.mark.parametrize(
    ("typed", "href"),
    [
        ("127.0.0.1:8000/?next=http://h/", "http://127.0.0.1:8000/?next=http://h/"),
        ("[::1]:8000/", "http://[::1]:8000/"),
        (" http://127.0.0.1/a b?c d#e", "http://127.0.0.1/a%20b?c%20d"),
        ("HTTP://me:secret@LOCALHOST:80/é", "http://localhost/%C3%A9"),
        ("me:secret@localhost:8000", "http://localhost:8000/"),
    ],
)
def test_a_url_is_read_as_a_browser_reads_it(typed: str, href: str) -> None:
    """Without a scheme it is http, wherever another URL stands in it; a fragment is never sent."""
    assert target(typed).href == href


@pytest.mark.parametrize("typed", ["http://me:secret@127.0.0.1:99999/", "me:secret@[", "ftp://me:secret@h/"])
def test_a_refused_url_tells_no_password(typed: str) -> None:
    """The message shows the rest of the URL."""
    with pytest.raises(UsageError, match=r"\*\*\*@") as refused:
        target(typed)

    assert "secret" not in str(refused.value)


def test_port_0_is_refused() -> None:
    """It can be listened at by nothing."""
    with pytest.raises(UsageError, match="no server can listen at port 0"):
        target("http://127.0.0.1:0/")


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://me:s%40c@127.0.0.1/", "Basic bWU6c0Bj"),
        ("me:@127.0.0.1", "Basic bWU6"),
        ("http://127.0.0.1/?a@b", None),
    ],
)
def test_credentials_of_the_url_are_sent(url: str, sent: str | None) -> None:
    """They become Basic authentication, percent-decoded."""
    assert dict(identified(url, configure_load({}).request).headers).get("Authorization") == sent


@pytest.mark.parametrize(
    ("url", "headers", "said"),
    [
        ("http://me:secret@h/", ["authorization: Bearer x"], "has credentials, and so has --header Authorization"),
        ("http://m%3Ae:secret@h/", [], "holds a colon"),
    ],
)
def test_credentials_that_cannot_be_sent_are_refused(url: str, headers: list[str], said: str) -> None:
    """Two of them, or a name that Basic authentication cannot write."""
    with pytest.raises(UsageError, match=said) as refused:
        identified(url, configure_load({"header": headers}).request)

    assert "secret" not in str(refused.value)


def test_a_body_of_any_bytes_is_sent() -> None:
    """Lines, tabs, emoji, zeros; a byte of the command line that is no UTF-8; none at all."""
    for given, sent in (
        ("a\n\tb\0", b"a\n\tb\0"),
        ("\N{FAMILY}", b"\xf0\x9f\x91\xaa"),
        ("\udcff", b"\xff"),
        (bytearray(b"\xff"), b"\xff"),
        ("", b""),
    ):
        request = exchange(target("http://h/"), configure_load({"body": given})).request
        assert request.startswith(b"POST / ")
        assert request.endswith(b"Content-Length: %d\r\n\r\n%b" % (len(sent), sent))


@pytest.mark.parametrize("body", ["\ud800", 5, None, ["a"]])
def test_what_is_no_body_is_refused(body: object) -> None:
    """Half a character, or neither text nor bytes."""
    with pytest.raises(UsageError, match=r"--body: expected bytes, or text that can be written in UTF-8"):
        configure_load({"body": body})


def test_standard_input_is_a_body_for_each_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read once, and kept."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(b"\x00\xff")))
    config = configure_load({"body-file": "-"})
    standard_input.cache_clear()

    requests = [exchange(target("http://h/"), config).request for _ in range(2)]
    standard_input.cache_clear()

    assert requests[0] == requests[1]
    assert requests[0].endswith(b"Content-Length: 2\r\n\r\n\x00\xff")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"body-file": "/nowhere"}, "--body-file: /nowhere: No such file"),
        ({"body-file": "/"}, "--body-file: /: Is a directory"),
        ({"chunked": True}, "--chunked: there is no body"),
        ({"chunk-size": "8", "body": "x"}, "--chunk-size: bodies are sent whole: give --chunked, too"),
        ({"expect-body": ""}, "--expect-body: every body holds an empty text"),
        ({"body": "", "body-file": "x"}, "--body and --body-file: give one of them, not both"),
    ],
)
def test_bodies_that_cannot_be_sent_or_found_are_refused(options: dict[str, object], said: str) -> None:
    """The message names the option."""
    with pytest.raises(UsageError, match=said):
        exchange(target("http://h/"), configure_load(options))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"method":"head","url":"http://127.0.0.1/"}', "the method head: methods are case-sensitive: write HEAD"),
        (
            '{"method":"GET","url":"http://127.0.0.1/","header":{"Connection":["close"]}}',
            "the header Connection: close: give --no-keep-alive instead",
        ),
    ],
)
def test_a_target_that_cannot_be_sent_is_told_by_its_line(line: str, said: str, tmp_path: Path) -> None:
    """Its file and its line come first; --skip-broken leaves it out."""
    file = tmp_path / "file"
    file.write_text(f'{{"method":"GET","url":"http://127.0.0.1/"}}\n{line}\n', "utf-8")

    with pytest.raises(UsageError, match=f"file:2: {said}"):
        make_targets(None, configure_load({"targets": str(file)}), tmp_path)
    kept = make_targets(None, configure_load({"targets": str(file), "skip-broken": True}), tmp_path)

    assert (kept.count, kept.skipped) == (1, 1)
