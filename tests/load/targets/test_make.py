"""load.targets.make: a file, a feed and a URL become requests, or one clear line."""

import gzip
import io
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.core.errors import UsageError
from crawler.load.contradictions import configure_load
from crawler.load.target import standard_input
from crawler.load.targets.config import TargetsConfig
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


def test_a_vegeta_line_s_host_is_sent(make: Make) -> None:
    """The user wrote it: one server is asked for several sites. There is no second one."""
    (request,) = whole(make('{"method":"GET","url":"http://h/","header":{"host":["site.test"]}}'))

    assert [line for line in request.split("\r\n") if line.lower().startswith("host")] == ["host: site.test"]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ('"Connection":["close"]', "the header Connection: close: give --no-keep-alive"),
        ('"Connection":["Upgrade"]', "the header Connection: upgrade"),
        ('"Transfer-Encoding":["chunked"]', "the header Transfer-Encoding: give --chunked"),
        ('"Content-Length":["5"]', "the header Content-Length contradicts the body"),
        ('"Upgrade":["h2c"]', "the header Upgrade"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/$${x}"])
def test_framing_in_a_vegeta_line_is_refused(make: Make, header: str, says: str, path: str) -> None:
    """The place of the line is told, so that it can be mended."""
    with pytest.raises(UsageError, match=f"f:2: {says}"):
        make('{"method":"GET","url":"/"}\n' + f'{{"method":"GET","url":"{path}","header":{{{header}}}}}\n')


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


def test_a_value_stays_within_a_form(make: Make) -> None:
    """The Content-Type decides on the escape; a body of another type takes the value as it is."""
    line = '{"method":"POST","url":"/","header":{"Content-Type":["%s"]},"body":"YT0ke2lkfQ=="}\n'
    kinds = ("application/x-www-form-urlencoded", "text/plain")

    form, plain = (whole(make(line % kind, feed="id\n1&b=2\n"))[0] for kind in kinds)

    assert form.endswith("\r\n\r\na=1%26b%3D2")
    assert plain.endswith("\r\n\r\na=1&b=2")


def test_groups_are_the_most_common_first(make: Make) -> None:
    """Each request counts."""
    assert make("/a\n/b/1\n/c tag=x\n/b/2\n/d tag=x\n/e tag=x\n").groups == ("x", "GET /b/{id}", "GET /a")


@pytest.mark.parametrize("content", ["/packed\n", '{"method":"GET","url":"/packed"}\n'])
def test_a_byte_order_mark_is_no_part_of_a_file(make: Make, content: str) -> None:
    """Editors of Windows put it in front."""
    assert requests(make("\ufeff" + content)) == ["GET /packed @127.0.0.1:8000"]


def test_a_gzip_file_is_read(make: Make) -> None:
    """Its name does not matter."""
    assert requests(make(gzip.compress(b"/packed\n", mtime=0))) == ["GET /packed @127.0.0.1:8000"]


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
        ("/\n", {"feed": 'id\n1\n"a\nb"\n', "header": ["X: ${id}"]}, "feed:4: for .*f:1: control characters cannot"),
        ("/${id}\n", {"feed": "id,b\n1\n"}, "feed:2: 1 values for 2 columns"),
        ("/a\n/b weight=2\n", {"shuffle": True}, "--shuffle: the file has weights"),
        ("/a\n", {"replay": "1"}, "f:1: it has no time that can be read, and --replay needs one"),
        (gzip.compress(b"/a\n" * 9000, mtime=0)[:-9], {}, "f: its gzip file is damaged"),
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


LOG = """\
1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] "GET /a HTTP/1.1" 200 1
1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] "POST /b HTTP/1.1" 200 1
1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] "DELETE /c HTTP/1.1" 200 1
1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] "POST /d?${jndi:x} HTTP/1.1" 200 1
"""


def test_a_log_s_unsafe_methods_have_to_be_named(make: Make) -> None:
    """The message counts them, and has the flag that sends them, and the one that leaves them out."""
    with pytest.raises(UsageError, match="2 POST, 1 DELETE: such requests may change something") as refused:
        make(LOG)

    assert "give --methods DELETE,POST if it may be changed" in str(refused.value)
    assert str(refused.value).endswith("--methods GET if such lines are to be left out")


@pytest.mark.parametrize(
    ("methods", "sent", "note"),
    [
        ("GET", ["GET"], "3 lines left out by --methods: 2 POST, 1 DELETE"),
        ("POST", ["GET", "POST", "POST"], "1 line left out by --methods: 1 DELETE"),
        ("DELETE,POST", ["GET", "POST", "DELETE", "POST"], ""),
    ],
)
def test_methods_that_are_not_named_are_left_out(make: Make, methods: str, sent: list[str], note: str) -> None:
    """Once some are named, the lines of others are counted, and refuse nothing."""
    targets = make(LOG, methods=methods)

    assert [text.split(" ")[0] for text in requests(targets)] == sent
    assert targets.note == note


def test_a_log_of_which_nothing_is_left_is_refused(make: Make) -> None:
    """The message says why it has no request."""
    with pytest.raises(UsageError, match="f: no request in it; --methods leaves out 1 DELETE"):
        make(LOG.splitlines()[2], methods="POST")


@pytest.mark.parametrize("content", ["/a\n", '{"method":"GET","url":"/a"}\n'])
def test_methods_of_a_user_s_own_lines_are_refused(make: Make, content: str) -> None:
    """Each line has its method, and nothing is done that the option could stop."""
    with pytest.raises(UsageError, match=r"--methods: .*f is no log, HAR file or run: .* leave out --methods"):
        make(content, methods="POST")


@pytest.mark.parametrize("methods", [None, "POST"])
def test_a_log_in_is_sent_whole_or_not_at_all(tmp_path: Path, methods: str | None) -> None:
    """No line of it is left out; its own methods need no leave where the user wrote it."""
    (tmp_path / "l").write_text(LOG)
    (tmp_path / "mine").write_text("POST /login\n")
    log, mine = (
        replace(
            configure_load({}), targets=TargetsConfig(targets=str(tmp_path / name), option="login", methods=methods)
        )
        for name in ("l", "mine")
    )

    with pytest.raises(UsageError, match=r"1 DELETE: such requests may .* give --methods DELETE,POST if it may be cha"):
        make_targets(SERVER, log, tmp_path)
    assert make_targets(SERVER, mine, tmp_path).count == 1


def test_a_log_s_requests_are_sent_as_they_were(make: Make) -> None:
    """Named methods are sent, and what looks like a column in a log is none."""
    assert requests(make(LOG, methods="POST,DELETE")) == [
        "GET /a @127.0.0.1:8000",
        "POST /b @127.0.0.1:8000",
        "DELETE /c @127.0.0.1:8000",
        "POST /d?${jndi:x} @127.0.0.1:8000",
    ]


def test_a_user_s_own_methods_need_no_leave(make: Make) -> None:
    """A line of the user's own is sent as it is."""
    assert make("DELETE /a\n").count == 1


def test_a_log_takes_a_feed_for_headers_of_the_command_line(make: Make) -> None:
    """Each line is sent with each row in turn."""
    log = LOG.splitlines()[3]

    first, second = whole(make(log, methods="POST", feed="token\na\nb\n", header=["X-Token: ${token}"]))

    assert "X-Token: a\r\n" in first
    assert "X-Token: b\r\n" in second
    assert all(text.startswith("POST /d?${jndi:x} HTTP/1.1\r\n") for text in (first, second))


def test_a_har_is_sent(make: Make) -> None:
    """Its entries are counted from 1 in messages; those that are no requests are told."""
    entry = '{"request":{"method":"%s","url":"%s"}}'
    har = '{"log":{"entries":[%s]}}'
    good = [entry % ("GET", "HTTPS://h/a"), entry % ("GET", "data:x,y"), entry % ("HEAD", "https://h/b")]

    targets = make(har % ",".join(good), url=None)

    assert requests(targets) == ["GET /a @h", "HEAD /b @h"]
    assert targets.note == "1 record that no server can be asked for (data:, blob:, ws:) left out"
    with pytest.raises(UsageError, match="f: entry 2: 'ht' is no URL; --skip-broken"):
        make(har % ",".join([good[0], entry % ("GET", "ht"), *good * 1000]))
    with pytest.raises(UsageError, match="f: it is no HAR file: "):
        make('{"log":{"entries":7}}')
    with pytest.raises(UsageError, match="f: it is no HAR file: "):
        make(har % good[0] + "}")
    assert requests(make(gzip.compress((har % good[0]).encode()), url=None)) == ["GET /a @h"]


def test_a_run_s_folder_is_a_file_of_targets(tmp_path: Path) -> None:
    """Its pages are asked for again, those without an answer left out."""
    run = tmp_path / "run"
    run.mkdir()
    page = '{"url":"http://h/%s","outcome":"done","status":%s,"fetched_at":"2026-01-02T03:04:05Z","timing":{}}\n'
    (run / "pages.jsonl").write_text(page % ("a", 200) + page % ("b", "null") + page % ("c", 404), "utf-8")

    targets = make_targets(None, configure_load({"targets": str(run)}), tmp_path)

    assert requests(targets) == ["GET /a @h", "GET /c @h"]
    assert targets.note == "1 page without an answer left out"
    with pytest.raises(UsageError, match=r"a folder without pages\.jsonl"):
        make_targets(None, configure_load({"targets": str(tmp_path)}), tmp_path)


def test_standard_input_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe, packed or not, is read like a file."""
    for content in (b"/a\n/b\n", gzip.compress(b"/a\n/b\n", mtime=0)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

        targets = make_targets(SERVER, configure_load({"targets": "-"}), tmp_path)

        assert targets.count == 2


def test_standard_input_is_a_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets and log-in take the same rows: it is read once for both."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfid\n1\n2\n")))
    standard_input.cache_clear()

    twice = [requests(make_targets(ONE, configure_load({"feed": "-"}), tmp_path)) for _ in range(2)]
    standard_input.cache_clear()

    assert twice == [["GET /users/1 @127.0.0.1:8000", "GET /users/2 @127.0.0.1:8000"]] * 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        (b"", "it is empty"),
        (b"# nothing\n", "no request in it"),
        (b'{"log":{"entries":7}}', "it is no HAR file"),
        (gzip.compress(b"/a\n" * 9000, mtime=0)[:-9], "its gzip file is damaged"),
    ],
)
def test_an_error_in_a_log_in_names_its_option(tmp_path: Path, content: bytes | None, says: str) -> None:
    """The targets are another file."""
    if content is not None:
        (tmp_path / "l").write_bytes(content)
    config = configure_load({})
    login = replace(config, targets=TargetsConfig(targets=str(tmp_path / "l"), option="login"))

    with pytest.raises(UsageError, match=f"--login: .*l: {says}"):
        make_targets(SERVER, login, tmp_path)


def test_no_option_is_named_that_a_log_in_does_not_have(tmp_path: Path) -> None:
    """A log-in is sent whole, so its broken lines cannot be left out."""
    (tmp_path / "l").write_bytes(b"ftp://x/\n")
    login = replace(configure_load({}), targets=TargetsConfig(targets=str(tmp_path / "l"), option="login"))

    with pytest.raises(UsageError, match="l:1: 'ftp://x/' is no URL") as refused:
        make_targets(SERVER, login, tmp_path)

    assert "--skip-broken" not in str(refused.value)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """The message names the option and the file."""
    for option in ("targets", "feed"):
        with pytest.raises(UsageError, match=f"--{option}: .*none: No such file"):
            make_targets(SERVER, configure_load({option: str(tmp_path / "none")}), tmp_path)


def test_more_requests_than_a_store_holds_are_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates times rows count, and so do lines that every row repeats."""
    monkeypatch.setattr("crawler.load.targets.store.MOST_REQUESTS", 100)
    feed = "id\n" + "1\n" * 60

    assert make("/${id}\n", feed=feed).count == 60
    with pytest.raises(UsageError, match="more than 100 requests"):
        make("/${id}\n/b\n", feed=feed)
    with pytest.raises(UsageError, match="more than 100 requests"):
        make("/b\n" * 101)


def test_a_line_of_enormous_length_is_broken(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line behind it is read."""
    monkeypatch.setattr("crawler.load.targets.source.LONGEST_LINE", 100)

    targets = make("/a\n/" + "x" * 1000 + "\n/b\n", skip_broken=True)

    assert requests(targets) == ["GET /a @127.0.0.1:8000", "GET /b @127.0.0.1:8000"]
    assert targets.skipped == 1


def test_the_example_of_the_documents_works(make: Make) -> None:
    """`docs/load.md` shows a file of targets, with weights, a tag, columns and methods."""
    page = (Path(__file__).parents[3] / "docs" / "load.md").read_text("utf-8")
    example = page.split("```text\n", 1)[1].split("```", 1)[0]

    targets = make(example, feed="word,id\nwool,1\nsalt & pepper,2\n")

    assert [text.split(" HTTP")[0] for text in whole(targets)[::2]] == [
        "GET /",
        "GET /search?q=wool",
        "POST /cart/1",
        "HEAD /health",
    ]
    assert whole(targets)[3].startswith("GET /search?q=salt%20%26%20pepper HTTP/1.1")
    assert set(targets.groups) == {"GET /", "search", "POST /cart/{id}", "HEAD /health"}
