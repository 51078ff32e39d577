"""Hosts and paths by the URL standard (https://url.spec.whatwg.org) and UTS #46, as they are in 2026."""

import threading

import pytest

from crawler.core.errors import UrlError
from crawler.core.reasons import Reason
from crawler.core.urls import parse

HOSTS = [
    # URL standard, 3.3 "domain to ASCII": an ASCII domain is lower-cased, and its punycode is not looked into.
    ("http://xn--1ug.example/", "xn--1ug.example"),  # a lone joiner in punycode
    ("http://XN--A.example/", "xn--a.example"),  # punycode that cannot be decoded
    ("http://xn--/", "xn--"),  # none at all
    ("http://xn--8i7caa.example/", "xn--8i7caa.example"),  # letters that would have been mapped
    ("http://ab--c.example/", "ab--c.example"),  # hyphens in the third and fourth place (CheckHyphens=false)
    ("http://-a-.example/", "-a-.example"),  # hyphens at the ends
    ("http://a_b.example/", "a_b.example"),  # an underscore (UseSTD3ASCIIRules=false)
    (f"http://{'a' * 64}.example/", f"{'a' * 64}.example"),  # a label too long for DNS (VerifyDnsLength=false)
    ("http://a..example/", "a..example"),  # an empty label
    # UTS #46, section 4: nontransitional processing.
    ("http://ẞ.de", "xn--zca.de"),  # the capital sharp s is one (revision 31)
    ("http://ß.de", "xn--zca.de"),
    ("http://faẞ.de", "xn--fa-hia.de"),
    ("http://βόλος.com/", "xn--nxasmm1c.com"),  # a final sigma stays one
    ("http://क्\u200dष.example/", "xn--11b2ezcw70k.example"),  # a joiner where CheckJoiners allows one
    ("http://so\u00adft.example/", "soft.example"),  # a soft hyphen is ignored
    ("http://a\ufe0fb.example/", "ab.example"),  # so is a variation selector
    ("http://i❤.ws/", "xn--i-7iq.ws"),  # an emoji
    ("http://℡.example/", "tel.example"),  # compatibility characters are mapped
    ("http://Ⴀ.example/", "xn--rkj.example"),  # a Georgian capital (revision 33)
    ("http://%E1%BA%9E.de/", "xn--zca.de"),  # percent-decoded first (3.5, host parsing)
    ("http://א1.example/", "xn--1-zhc.example"),  # right to left, ending with a digit
    # Trailing dots, and what ends in a number (3.5, "ends in a number").
    ("http://example.com./", "example.com."),
    ("http://0x7F.0.0.1/", "127.0.0.1"),
    ("http://\uff11\uff12\uff17\u3002\uff11/", "127.0.0.1"),
    ("http://192.168.257/", "192.168.1.1"),
]

NO_HOSTS = [
    "http://a\u200cb.example/",  # a non-joiner between letters that do not join (CheckJoiners=true)
    "http://\u200d.example/",
    "http://xn--a.ä.example/",  # with a letter beyond ASCII, every label is looked into
    "http://1א.example/",  # CheckBidi=true: a label of a bidi domain begins with a letter (RFC 5893, 2)
    "http://1.א/",  # each label of it does
    "http://\u00ad/",  # nothing is left
    "http://a%00b/",  # forbidden code points, decoded
    "http://a%25b/",
    "http://a%2Fb/",
    "http://1.2.3.4.5/",
    "http://1.2.3.09/",
    "http://example.256/",
    "http://[::1%25eth0]/",
    "http://[1:2:3:4:5:6:7:8:9]/",
]


@pytest.mark.parametrize(("text", "host"), HOSTS)
def test_a_host_is_what_the_standard_makes_of_it(text: str, host: str) -> None:
    """A host that browsers of 2026 accept is accepted, in their spelling, which is its own."""
    assert parse(text).host == host
    assert parse(parse(text).href).host == host


@pytest.mark.parametrize("text", NO_HOSTS)
def test_a_host_that_the_standard_refuses_is_refused(text: str) -> None:
    """A host that browsers refuse is no URL."""
    with pytest.raises(UrlError) as refusal:
        parse(text)

    assert refusal.value.reason is Reason.NOT_A_URL


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("http://h/a^b?c^d", "http://h/a%5Eb?c^d"),  # the path percent-encode set has the caret, the query's has not
        ("http://h/`{}", "http://h/%60%7B%7D"),  # 1.3, path percent-encode set
        ("http://h/|", "http://h/|"),
        ("http://h/?'", "http://h/?%27"),  # special-query percent-encode set
        ("http://h/a\x00b", "http://h/a%00b"),  # C0 control percent-encode set
        ("http://[::FFFF:1.2.3.4]:0080/", "http://[::ffff:102:304]/"),
    ],
)
def test_what_is_percent_encoded_depends_on_its_place(text: str, href: str) -> None:
    """Each part of a URL has its own percent-encode set (URL standard, 1.3)."""
    assert parse(text).href == href


def test_threads_may_share_a_base() -> None:
    """Links of one page that are joined in several threads come to the same URLs."""
    base, wrong = parse("http://h/a/b?c"), list[str]()

    def join(name: str) -> None:
        wrong.extend(url for _ in range(2000) if (url := parse(name, base).href) != f"http://h/a/{name}")

    threads = [threading.Thread(target=join, args=(f"page{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
