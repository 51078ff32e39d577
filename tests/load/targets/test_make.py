"""load.targets.make: a file, a feed and a URL become requests, or one clear line."""

import gzip
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.core.errors import UsageError
from crawler.load.contradictions import configure_load
from crawler.load.targets.make import make_targets, wants_targets
from crawler.load.targets.targets import Targets

SERVER = "http://127.0.0.1:8000/ignored?x"
Make = Callable[..., Targets]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make targets of a file with this content, and of a feed."""

    def make_(content: str | bytes, url: str | None = SERVER, feed: str | None = None, **options: object) -> Targets:
        path = tmp_path / "f"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if feed is not None:
            (tmp_path / "feed").write_text(feed, "utf-8")
            options["feed"] = str(tmp_path / "feed")
        config = configure_load({"targets": str(path)} | {name.replace("_", "-"): v for name, v in options.items()})
        return make_targets(url, config, tmp_path)

    return make_


def requests(targets: Targets) -> list[str]:
    """The request lines and the hosts, in the order in which one process sends them, once."""
    with targets.open() as opened:
        deal = opened.dealer(0, 1)
        texts = [opened.message(deal()).decode() for _ in range(targets.count)]
    return [f"{text.split(' HTTP/1.1', 1)[0]} @{text.split('Host: ', 1)[1].splitlines()[0]}" for text in texts]


def whole(targets: Targets) -> list[str]:
    """The requests as they are sent, in the order of the store."""
    with targets.open() as opened:
        return [opened.message(number).decode() for number in range(targets.count)]


TEXT = """\
# the shop
GET http://other.test/a?b=1#top   # a comment
/users/7 tag=user
HEAD /x

POST "/y"
"""


def test_a_list_is_sent_to_the_url_s_origin(make: Make) -> None:
    """Path and query are the line's, scheme, host and port the command line's."""
    targets = make(TEXT)

    assert requests(targets) == [
        "GET /a?b=1 @127.0.0.1:8000",
        "GET /users/7 @127.0.0.1:8000",
        "HEAD /x @127.0.0.1:8000",
        "POST /y @127.0.0.1:8000",
    ]
    assert [url.href for url in targets.origins] == ["http://127.0.0.1:8000/"]


def test_lines_without_a_url_name_their_own_hosts(make: Make) -> None:
    """Each distinct origin is one of the targets', and each request knows its own."""
    targets = make("http://A.test/1\nhttps://b.test/2\nhttp://a.test:80/3\nlocalhost:81/4\n", url=None)

    with targets.open() as opened:
        origins = [targets.origins[opened.origin(number)].href for number in range(4)]

    assert origins == ["http://a.test/", "https://b.test/", "http://a.test/", "http://localhost:81/"]
    assert len(targets.origins) == 3


def test_groups_and_heads_are_known_of_each_request(make: Make) -> None:
    """A tag is a group, and a HEAD has no body in its answer."""
    targets = make(TEXT)

    with targets.open() as opened:
        groups = [targets.groups[opened.group(number)] for number in range(4)]
        heads = [opened.is_head(number) for number in range(4)]

    assert groups == ["GET /a", "user", "HEAD /x", "POST /y"]
    assert heads == [0, 0, 1, 0]


def test_vegeta_s_lines_keep_headers_and_bytes(make: Make) -> None:
    """The body is base64, and a header may have several values."""
    line = b'{"method":"PUT","url":"http://h/x","header":{"X-A":["1","2"]},"body":"/wAK","weight":1,"tag":"t"}\n'

    targets = make(line)

    with targets.open() as opened:
        request = opened.message(0)
    assert request.startswith(b"PUT /x HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n")
    assert b"X-A: 1\r\nX-A: 2\r\n" in request
    assert request.endswith(b"Content-Length: 3\r\n\r\n\xff\x00\n")
    assert targets.groups == ("t",)


def test_a_header_of_the_command_line_replaces_the_line_s(make: Make) -> None:
    """There is one of each name."""
    targets = make(b'{"method":"GET","url":"/","header":{"cookie":["old"],"X-B":["b"]}}', header=["Cookie: new"])

    (request,) = whole(targets)

    assert "old" not in request
    assert "Cookie: new\r\n" in request
    assert "X-B: b\r\n" in request


@pytest.mark.parametrize("processes", [1, 3])
def test_a_shuffle_has_one_order_for_every_pass(make: Make, processes: int) -> None:
    """The seed decides on the order, the number of processes does not."""
    text = "".join(f"/{number}\n" for number in range(50))

    targets = make(text, shuffle=True, seed=5)

    with targets.open() as opened:
        deals = [opened.dealer(index, processes) for index in range(processes)]
        dealt = [deals[number % processes]() for number in range(100)]
    order = list(range(50))
    random.Random(5).shuffle(order)  # noqa: S311
    assert dealt == order * 2
    assert order != sorted(order)


def test_weights_are_followed(make: Make) -> None:
    """A target of weight 9 among one of weight 1 gets nine tenths of the requests."""
    targets = make("/often weight=9\n/rare\n")

    with targets.open() as opened:
        deal = opened.dealer(0, 1)
        often = sum(deal() == 0 for _ in range(10_000))

    assert 8_850 < often < 9_150


def test_a_feed_gives_each_use_of_a_target_its_row(make: Make) -> None:
    """Rows come in order; a line without a column is the same in every pass."""
    targets = make("/u/${id}?n=${name}\n/home\n", feed="id,name\n1,a b\n2,c/d\n")

    assert requests(targets) == [
        "GET /u/1?n=a%20b @127.0.0.1:8000",
        "GET /home @127.0.0.1:8000",
        "GET /u/2?n=c%2Fd @127.0.0.1:8000",
        "GET /home @127.0.0.1:8000",
    ]
    assert set(targets.groups) == {"GET /u/{id}", "GET /home"}


def test_a_gzip_file_is_read(make: Make) -> None:
    """Its name does not matter."""
    assert requests(make(gzip.compress(b"/packed\n"))) == ["GET /packed @127.0.0.1:8000"]


def test_targets_travel_to_other_processes(make: Make) -> None:
    """A copy by pickle opens the same file."""
    targets = make("/a\n/b\n")

    copy = pickle.loads(pickle.dumps(targets))  # noqa: S301, TID251 - that it can be done is the point

    assert requests(copy) == requests(targets)


ONE = "http://127.0.0.1:8000/users/${id}"


def test_a_single_url_takes_a_feed(tmp_path: Path) -> None:
    """URL, header and body are filled in, each in its own way."""
    (tmp_path / "feed").write_text('{"id": 7, "say": "a\\"b"}\n{"id": 8, "say": "é&="}\n', "utf-8")
    options: dict[str, object] = {"feed": str(tmp_path / "feed"), "body": '{"say": "${say}", "cost": "$${x}"}'}
    config = configure_load(options | {"header": ["Content-Type: application/json", "X-Id: n${id}"]})

    targets = make_targets(ONE, config, tmp_path)

    first, second = whole(targets)
    assert first.startswith("POST /users/7 HTTP/1.1\r\n")
    assert "X-Id: n7\r\n" in first
    assert first.endswith('\r\n\r\n{"say": "a\\"b", "cost": "${x}"}')
    assert second.endswith('\r\n\r\n{"say": "é&=", "cost": "${x}"}')
    assert targets.groups == ("POST /users/{id}",)
    assert wants_targets(ONE, configure_load({}))
    assert not wants_targets(SERVER, configure_load({}))


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        ("", {}, "--targets: .*f: it is empty"),
        ("# nothing\n\n", {}, "f: no request in it"),
        ("/a\nftp://x/\n", {}, "f:2: 'ftp://x/' is no URL.*; --skip-broken leaves such lines out"),
        ("GET\n", {}, "f:1: 'GET' is no URL"),
        ("/a b\n", {}, "f:1: 'b' behind the URL: expected weight=NUMBER or tag=NAME"),
        ("/a weight=0\n", {}, "f:1: weight 0: expected a number above 0"),
        (b"/a\n/\xff\n", {}, "f:2: it is no UTF-8"),
        ("http://me:secret@h/\n", {"url": None}, "f:1: a password in a URL"),
        ("/a\n", {"url": None}, "f:1: a path alone: give the URL"),
        ('{"method":"GET","url":"/","heders":{}}\n', {"targets_format": "vegeta"}, "f:1: .*unknown field `heders`"),
        ('{"method":"GET","url":"/"}\n{"method":"GET"\n', {}, "f:2: it is no JSON"),
        ('{"method":"GET","url":"/","body":"%"}\n', {}, "f:1: .*base64"),
        ('{"method":"GET","url":"/","header":{"X":["a\\nb"]}}\n', {}, "f:1: the value of header X holds control"),
        ('{"method":"G T","url":"/"}\n', {}, "f:1: 'G T' is no method"),
        ("\n".join(f"http://h{n}.test/" for n in range(17)), {"url": None}, "more than 16 servers"),
        ("/${id}\n", {}, r"f:1: \$\{id\}: give --feed FILE with this column, or write \$\$\{"),
        ("/\n/${no}\n", {"feed": "id,b\n1,2\n"}, r"f:2: \$\{no\}: .*feed has no such column; it has id, b"),
        ("/\n", {"feed": "id\n1\n"}, r"--feed: no \$\{column\} in .*f asks for it"),
        ("/${id\n", {"feed": "id\n1\n"}, r"f:1: \$\{id: expected \$\{column\}"),
        ("/a/${id}/b\n", {"feed": "id\n1\n..\n"}, r"feed:3: for .*f:1: a value of . or .. would change the path"),
        ("http://${id}.test/\n", {"url": None, "feed": "id\n1\n"}, "may stand in path and query, not in the host"),
        ("/${id}\n", {"feed": "id\n"}, "--feed: .*feed: no rows"),
        ("/${id}\n", {"feed": "id,b\n1\n"}, "feed:2: 1 values for 2 columns"),
        ("/a\n/b weight=2\n", {"shuffle": True}, "--shuffle: the file has weights"),
        ("/a\n", {"replay": "1"}, "f:1: it has no time, and --replay needs one"),
        (gzip.compress(b"/a\n" * 9000)[:-9], {}, "f: its gzip file is damaged"),
    ],
)
def test_the_impossible_is_refused_in_one_line(
    make: Make, content: str | bytes, options: dict[str, object], says: str
) -> None:
    """The message has the place, the problem and the way out."""
    with pytest.raises(UsageError, match=says) as refused:
        make(content, **options)

    assert "\n" not in str(refused.value)


def test_broken_lines_are_left_out_and_counted(make: Make) -> None:
    """`--skip-broken` says how many."""
    targets = make("/a\nftp://x/\n/b\n/c d\n", skip_broken=True)

    assert targets.count == 2
    assert targets.skipped == 2
    assert targets.note == "2 lines of the file left out, since they cannot be read"
