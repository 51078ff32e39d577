"""load.targets formats: each is known by its first lines, and its requests and times are read as they were."""

import msgspec
import pytest

from crawler.core.errors import UsageError
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.targets.access_log import parse_log
from crawler.load.targets.config import FORMATS
from crawler.load.targets.feed import feed_of
from crawler.load.targets.formats import PARSERS, format_of
from crawler.load.targets.har import har_entries, parse_har
from crawler.load.targets.json_log import parse_json_log
from crawler.load.targets.line import TargetLine
from crawler.load.targets.moments import moment_of
from crawler.load.targets.pages import parse_page
from crawler.load.targets.text_lines import parse_text

COMBINED = (
    rb'127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.0" 200 2326 "http://x/" "Mozilla/4.08 [en]"'
)
MOMENT = 971211336 * SECOND  # 2000-10-10T20:55:36Z
CADDY = (
    b'{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":{'
    b'"remote_ip":"127.0.0.1","proto":"HTTP/2.0","method":"GET","host":"localhost:8443","uri":"/c?x=1","headers":{'
    b'"User-Agent":["curl/7.82.0"]},"tls":{"resumed":false,"version":772}},"duration":0.0009,"size":10900,"status":200}'
)
TRAEFIK = (
    b'{"DownstreamStatus":200,"Duration":1000,"RequestHost":"shop.test","RequestMethod":"HEAD","RequestPath":"/t?y=2",'
    b'"RequestProtocol":"HTTP/1.1","RequestScheme":"https","StartLocal":"2026-01-02T04:04:05.5+01:00",'
    b'"StartUTC":"2026-01-02T03:04:05.123456789Z","level":"info","msg":"","time":"2026-01-02T03:04:06Z"}'
)
ENVOY = (
    b'{"start_time":"2026-01-02T03:04:05.250Z","method":"GET","path":"/e","authority":"api.test","protocol":"HTTP/1.1",'
    b'"response_code":200,"duration":12,"user_agent":"-"}'
)
GOOGLE = (
    b'{"httpRequest":{"requestMethod":"GET","requestUrl":"https://g.test/p?q","status":200},'
    b'"timestamp":"2026-01-02T03:04:05Z"}'
)
NGINX = (
    b'{"time_iso8601":"2026-01-02T04:04:05+01:00","request":"GET /n HTTP/1.1","request_time":"0.005","status":"200"}'
)
NGINX_PARTS = b'{"msec":"1767323045.250","request_method":"GET","uri":"/n","args":"a=1","request_time":"0.005"}'
ELASTIC = b'{"@timestamp":"2026-01-02T03:04:05.000Z","http":{"request":{"method":"GET"}},"url":{"original":"/o?1"}}'
DOTTED = b'{"@timestamp":"2026-01-02T03:04:05.000Z","http.request.method":"GET","url.path":"/o","url.query":"1"}'
PINO = b'{"level":30,"time":1767323045123,"req":{"id":1,"method":"GET","url":"/p"},"res":{"statusCode":200}}'
NEW_YEAR = 1767323045 * SECOND  # 2026-01-02T03:04:05Z
PAGE = (
    b'{"url":"http://h/p","outcome":"done","status":404,"fetched_at":"2026-01-02T03:04:05.500Z",'
    b'"timing":{"queue":9.0,"parse":100.0,"total":150.25}}'
)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"http://h/\n", "text"),
        (b"POST /x\n", "text"),
        (b'{"method":"GET","url":"http://h/"}\n', "vegeta"),
        (b'\n{"url":"/","method":"GET","weight":2,"tag":"t"}\n', "vegeta"),
        (b'{\n  "log": {\n "version": "1.2",', "har"),
        (b'{"log":{"entries":[', "har"),
        (COMBINED, "log"),
        (b"\x16\x03\x01 garbage\n" + COMBINED, "log"),
        (b'1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "-" 400 0\n', "log"),
        (b'[2026-01-02T03:04:05.000Z] "GET /e HTTP/1.1" 200 - 0', "log"),
        (PAGE, "pages"),
        *((line, "json-log") for line in (CADDY, TRAEFIK, ENVOY, GOOGLE, NGINX, NGINX_PARTS, ELASTIC, PINO)),
    ],
)
def test_a_format_is_known_by_its_first_lines(head: bytes, kind: str) -> None:
    """The name of the file does not matter."""
    assert format_of(head) == kind


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("http://h/a", ("GET", "http://h/a", 1.0, None)),
        ("delete /a weight=2.5 tag=home # why", ("delete", "/a", 2.5, "home")),
        ("M-SEARCH /", ("M-SEARCH", "/", 1.0, None)),
        ("<http://h/a>", ("GET", "http://h/a", 1.0, None)),
        ("localhost:8000/x", ("GET", "http://localhost:8000/x", 1.0, None)),
        ("localhost tag=t", ("GET", "http://localhost", 1.0, "t")),
        ("GET 127.0.0.1/?a=b", ("GET", "http://127.0.0.1/?a=b", 1.0, None)),
        ("/q?${the column}=1", ("GET", "/q?${the column}=1", 1.0, None)),
        ("/#top", ("GET", "/#top", 1.0, None)),
    ],
)
def test_lines_of_urls_are_read(text: str, line: tuple[str, str, float, str | None]) -> None:
    """A method in front, weight and tag behind; a comment is none of them."""
    found = parse_text(text.encode(), 3)

    assert found is not None
    assert (found.method, found.url, found.weight, found.tag) == line
    assert found.number == 3


@pytest.mark.parametrize("text", ["", "  ", "# http://h/", "   # x"])
def test_blank_lines_and_comments_ask_for_nothing(text: str) -> None:
    """They are None, and neither counted nor broken."""
    assert parse_text(text.encode(), 1) is None


@pytest.mark.parametrize(
    ("line", "method", "url"),
    [
        (COMBINED, "GET", "/a?b=1"),
        (b'h:443 1.2.3.4 - - [10/Oct/2000:20:55:36 +0000] "POST /x HTTP/2.0" 201 -\r\n', "POST", "/x"),
        (rb'::1 - "a b" [10/Oct/2000:20:55:36 +0000] "GET /x HTTP/1.1" 200 1 "a\"b" "c"', "GET", "/x"),
        (rb'1.2.3.4 - - [10/Oct/2000:20:55:36 +0000] "GET /?q=\x22a\x22\xE4 HTTP/1.1" 200 1', "GET", '/?q="a"%E4'),
        (rb'1.2.3.4 - - [10/Oct/2000:20:55:36 +0000] "GET /?q=\"\\\xc3\xa4 HTTP/1.1" 200 1', "GET", '/?q="\\ä'),
        (b'1.2.3.4 - - [10/Oct/2000:20:55:36 +0000] "GET http://p/x HTTP/1.1" 200 1', "GET", "http://p/x"),
        (b'[2000-10-10T20:55:36.000Z] "GET /e HTTP/1.1" 200 - 0 5 12 "-" "curl"', "GET", "/e"),
    ],
)
def test_access_logs_are_read(line: bytes, method: str, url: str) -> None:
    """Apache, nginx and Envoy, with the escapes and the zones of each."""
    assert parse_log(line, 1) == TargetLine(method=method, url=url, moment=MOMENT, number=1)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (b"-", "is no HTTP"),
        (rb"\x16\x03\x01\x02", r'is no HTTP that can be sent: "\\u0016\\u0003\\u0001\\u0002"'),
        (b"GET / HTTP/1.1\\r\\nHost: x", "is no HTTP"),
        (b"CONNECT h:443 HTTP/1.1", "is no HTTP"),
        (b"OPTIONS * HTTP/1.1", "is no HTTP"),
        (b"GET /a b HTTP/1.1", "is no HTTP"),
        (rb"GET /a\tb HTTP/1.1", "is no HTTP"),
        (b"quit", "is no HTTP"),
    ],
)
def test_a_request_that_is_no_http_is_broken(request_: bytes, says: str) -> None:
    """No such line is sent, and none is passed over."""
    with pytest.raises(ValueError, match=says):
        parse_log(b'1.2.3.4 - - [10/Oct/2000:20:55:36 +0000] "%b" 400 1' % request_, 1)
    with pytest.raises(ValueError, match="no line of an access log"):
        parse_log(b"1.2.3.4 " + request_, 1)


@pytest.mark.parametrize(
    ("line", "method", "url", "moment"),
    [
        (CADDY, "GET", "https://localhost:8443/c?x=1", 1646861401_524102400),
        (TRAEFIK, "HEAD", "https://shop.test/t?y=2", NEW_YEAR + 123456789),
        (ENVOY, "GET", "http://api.test/e", NEW_YEAR + 250 * MILLISECOND),
        (GOOGLE, "GET", "https://g.test/p?q", NEW_YEAR),
        (NGINX, "GET", "/n", NEW_YEAR),
        (NGINX_PARTS, "GET", "/n?a=1", NEW_YEAR + 250 * MILLISECOND),
        (ELASTIC, "GET", "/o?1", NEW_YEAR),
        (DOTTED, "GET", "/o?1", NEW_YEAR),
        (PINO, "GET", "/p", NEW_YEAR + 123 * MILLISECOND),
        (NGINX.replace(b"/n", b"/\xc3\xa4\xff"), "GET", "/ä%FF", NEW_YEAR),
    ],
    ids=["caddy", "traefik", "envoy", "google", "nginx", "nginx-parts", "elastic", "dotted", "pino", "bytes"],
)
def test_json_logs_are_read(line: bytes, method: str, url: str, moment: int) -> None:
    """The fields are those of nginx, Caddy, Traefik, Envoy, Google, Elastic and pino."""
    assert parse_json_log(line, 1) == TargetLine(method=method, url=url, moment=moment, number=1)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"[1]", "expected `object`"),
        (b"{", "it is no JSON"),
        (b'{"level":"info","msg":"started"}', "no method and path among its fields: level, msg"),
        (b'{"request":"-"}', "is no HTTP"),
        (b'{"status":400,"request":"\\u0016\\u0003garbage"}', "is no HTTP"),
        (b'{"request":"\\u0016\\u0003 x"}', "is no HTTP"),
        (b'{"method":"CONNECT","uri":"h:443"}', "is no HTTP"),
        (b'{"method":5,"uri":"/"}', "no method and path among its fields: method, uri"),
        (b'{"method":null,"uri":"/"}', "no method and path among its fields: method, uri"),
    ],
)
def test_a_json_line_without_a_request_is_broken(line: bytes, says: str) -> None:
    """The message names the fields that there are."""
    with pytest.raises(ValueError, match=says):
        parse_json_log(line, 1)


HAR = {
    "log": {
        "version": "1.2",
        "entries": [
            {
                "startedDateTime": "2026-01-02T03:04:05.250Z",
                "request": {
                    "method": "POST",
                    "url": "https://h/x?y",
                    "headers": [
                        {"name": ":authority", "value": "h"},
                        {"name": "Host", "value": "h"},
                        {"name": "content-length", "value": "9"},
                        {"name": "Cookie", "value": "a=b"},
                        {"name": "Content-Type", "value": "text/plain"},
                    ],
                    "cookies": [{"name": "a", "value": "b"}],
                    "postData": {"mimeType": "text/plain", "text": "héllo"},
                },
                "response": {"status": 200, "content": {"text": "x" * 1000}},
            },
            {"request": {"method": "GET", "url": "data:image/png;base64,AAAA", "headers": []}},
            {"request": {"method": "GET", "url": "blob:https://h/1"}},
            {
                "request": {
                    "method": "POST",
                    "url": "http://h/f",
                    "postData": {
                        "mimeType": "application/x-www-form-urlencoded",
                        "params": [{"name": "a", "value": "1 2"}],
                    },
                }
            },
        ],
    }
}


def test_a_har_is_read_without_its_answers() -> None:
    """Cookies and bodies are sent; headers of the connection, and what no server is asked for, are not."""
    content = memoryview(msgspec.json.encode(HAR))

    first, data, blob, form = (parse_har(raw, number) for number, raw in har_entries(content, "f"))

    assert first == TargetLine(
        method="POST",
        url="https://h/x?y",
        headers=(("Cookie", "a=b"), ("Content-Type", "text/plain")),
        body="héllo".encode(),
        moment=NEW_YEAR + 250 * MILLISECOND,
        number=1,
    )
    assert (data, blob) == (None, None)
    assert form is not None
    assert (form.body, form.moment, form.number) == (b"a=1+2", None, 4)


def test_null_in_a_har_is_as_if_absent() -> None:
    """So is the letter case of a scheme, which no entry is left out for."""
    asked = {"method": "POST", "url": "HTTP://h/a", "headers": None}
    posted = {"text": "x", "mimeType": None, "params": None}

    plain = parse_har(msgspec.json.encode({"request": asked | {"postData": None}}), 1)
    whole = parse_har(msgspec.json.encode({"request": asked | {"postData": posted}}), 1)

    assert plain == TargetLine(method="POST", url="HTTP://h/a", number=1)
    assert whole == TargetLine(method="POST", url="HTTP://h/a", body=b"x", number=1)
    assert parse_har(msgspec.json.encode({"request": asked | {"url": "DATA:x"}}), 1) is None


def of_request(**fields: object) -> TargetLine:
    """The target of a GET with these fields in a HAR."""
    line = parse_har(msgspec.json.encode({"request": {"method": "GET", "url": "http://h/"} | fields}), 1)
    assert line is not None
    return line


def test_cookies_of_a_har_are_sent_where_no_header_has_them() -> None:
    """A Cookie header is what was sent, so beside it the list adds nothing."""
    listed = [{"name": "sid", "value": "a=b"}, {"name": "lang", "value": "en", "path": "/"}]

    alone = of_request(cookies=listed)
    beside = of_request(cookies=listed, headers=[{"name": "cookie", "value": "sid=c"}])

    assert alone.headers == (("Cookie", "sid=a=b; lang=en"),)
    assert beside.headers == (("cookie", "sid=c"),)
    assert of_request(cookies=None).headers == of_request(cookies=[]).headers == ()


@pytest.mark.parametrize("cookie", [{"name": "a", "value": "1; b=2"}, {"name": "a=b", "value": "1"}])
def test_a_cookie_of_a_har_cannot_become_two(cookie: dict[str, str]) -> None:
    """A separator within one is a broken file."""
    with pytest.raises(ValueError, match="it holds a separator"):
        of_request(cookies=[cookie])


def test_a_body_of_a_har_may_be_base64() -> None:
    """Some tools write bytes that are no text so."""
    posted = {"text": "/wA=", "encoding": "base64"}

    line = parse_har(msgspec.json.encode({"request": {"method": "PUT", "url": "http://h/", "postData": posted}}), 1)

    assert line is not None
    assert line.body == b"\xff\x00"


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"url": "http://h/"}, "missing required field `method`"),
        ({"method": "GET", "url": "h"}, "'h' is no URL"),
        ({"method": "GET", "url": "http://h/", "headers": [{"name": "a b", "value": ""}]}, "'a b' is no name"),
        (
            {"method": "POST", "url": "http://h/", "postData": {"params": [{"name": "a"}]}},
            "its body is not in the file",
        ),
    ],
)
def test_an_entry_that_cannot_be_sent_is_broken(request_: dict[str, object], says: str) -> None:
    """The other entries are read all the same."""
    with pytest.raises(ValueError, match=says):
        parse_har(msgspec.json.encode({"request": request_}), 1)


def test_a_page_of_a_run_is_asked_for_when_its_last_try_began() -> None:
    """Its time is that of the end, which includes reading; a page without an answer is none."""
    assert parse_page(PAGE, 2) == TargetLine(method="GET", url="http://h/p", moment=NEW_YEAR + 249_750_000, number=2)
    assert parse_page(PAGE.replace(b"404", b"null"), 2) is None


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("10/Oct/2000:13:55:36 -0700", MOMENT),
        ("10/Oct/2000:20:55:36", MOMENT),
        ("10/Oct/2000:20:55:36.5 +0000", MOMENT + SECOND // 2),
        ("2000-10-10T20:55:36Z", MOMENT),
        ("2000-10-10 20:55:36", MOMENT),
        ("2000-10-10t22:55:36.000000001+02:00", MOMENT + 1),
        ("2000-10-10T20:55:36.1234567891Z", MOMENT + 123456789),
        (971211336, MOMENT),
        ("971211336.25", MOMENT + SECOND // 4),
        (971211336250, MOMENT + SECOND // 4),
        (971211336250000, MOMENT + SECOND // 4),
        ("971211336250000001", MOMENT + SECOND // 4 + 1),
        ("yesterday", None),
        ("31/Dec/9999:23:59:59 +0000", None),
        ("9999-12-31T23:59:59Z", None),
        ("1969-12-31T23:59:59Z", None),
        ("9999999999999999999", None),
        (9999999999999999999, None),
        ("10/Xyz/2000:13:55:36 -0700", None),
        ("2000-13-10T20:55:36Z", None),
        ("0.005", None),
        ("", None),
        (12, None),
        (None, None),
        (True, None),
    ],
)
def test_times_are_nanoseconds_since_1970(value: object, moment: int | None) -> None:
    """Common logs, ISO 8601 and numbers in four units; what is no time is None."""
    assert moment_of(value) == moment


@pytest.mark.parametrize("total", [1e15, 1e308, 1.7976931348623157e308])
def test_a_page_that_took_longer_than_all_time_has_no_time(total: float) -> None:
    """A damaged run stops no replay with a traceback."""
    line = parse_page(msgspec.json.encode(msgspec.json.decode(PAGE) | {"timing": {"total": total, "parse": total}}), 1)

    assert line is not None
    assert line.moment is None


DEEP = b'{"request":' * 3000 + b"1" + b"}" * 3000


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("json-log", DEEP),
        ("json-log", b'{"method":"GET","url":"/","x":%b}' % DEEP),
        ("vegeta", b'{"method":"GET","url":%b}' % (b"[" * 3000)),
        ("har", b'{"request":{"method":"GET","url":"http://h/"},"x":%b}' % DEEP),
        ("pages", b'{"url":"http://h/","x":%b}' % DEEP),
    ],
)
def test_a_line_that_is_nested_without_end_is_broken(kind: str, raw: bytes) -> None:
    """No depth ends in a traceback."""
    with pytest.raises(ValueError, match=r"nested too deep|expected `str`"):
        PARSERS[kind](raw, 1)


def test_a_file_that_is_nested_without_end_is_refused() -> None:
    """So it is where the depth is in the frame of a HAR file, in a feed, or in the first line of a file."""
    with pytest.raises(UsageError, match="f: it is no HAR file: its JSON is nested too deep"):
        list(har_entries(memoryview(b'{"log":{"entries":[],"x":%b}}' % DEEP), "--targets: f"))
    with pytest.raises(UsageError, match="f:2: its JSON is nested too deep"):
        feed_of("f", ['{"a":1}\n', DEEP.decode()])
    assert format_of(DEEP + b"\n" + CADDY) == "json-log"


def test_a_request_is_looked_for_a_few_objects_deep() -> None:
    """A line that nests deeper, but can be read, has no request."""
    deep = b'{"request":' * 900 + b'{"method":"GET","url":"/"}' + b"}" * 900

    with pytest.raises(ValueError, match="no method and path"):
        parse_json_log(deep, 1)


def test_every_format_of_the_option_has_a_parser() -> None:
    """`--targets-format` takes the names of the parsers."""
    assert set(FORMATS) == set(PARSERS)
