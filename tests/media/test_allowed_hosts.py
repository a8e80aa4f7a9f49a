"""Which URLs may be fetched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.media.fetch import AllowedHosts

HOSTS = AllowedHosts(
    ["a.example", "B.Example", "localhost", "127.0.0.1", "::1", "narrow.example:8443", ".Kie.ai", ".port.example:8443"]
)
ALLOWED = {
    "host": ["https://a.example", "https://A.EXAMPLE/x", "HTTPS://a.example/x", "https://b.example/x"],
    "path": ["https://a.example/x.png?sig=a%2Fb%3D&x=1#part"],
    "port": ["https://a.example:443/x", "https://a.example:8443/x", "https://narrow.example:8443/x"],
    "a domain": ["https://kie.ai/x", "https://cdn.kie.ai/x", "https://a.b.KIE.AI:8443/x"],
    "a domain and its port": ["https://port.example:8443/x", "https://cdn.port.example:8443/x"],
    "this machine": ["https://localhost/x", "http://localhost/x", "http://LOCALHOST:8080/x"],
    "its addresses": ["http://127.0.0.1:8080/x", "http://[::1]:8080/x"],
}
NOT_ALLOWED = {
    "plain http": ["http://a.example/x", "http://narrow.example:8443/x"],
    "other schemes": ["ftp://a.example/x", "file:///etc/passwd", "file://localhost/etc/passwd", "javascript:alert(1)"],
    "data": ["data:image/png;base64,AAAA"],
    "no scheme": ["//a.example/x", "a.example/x", "", " "],
    "no host": ["https:a.example", "https:///x", "https://"],
    "another domain": [
        "https://evilkie.ai/x",
        "https://kie.ai.evil.com/x",
        "https://kie.ai@evil.com/x",
        "https://ai/x",
    ],
    "another port of a domain": ["https://cdn.port.example/x", "https://evilport.example:8443/x"],
    "a domain with dots": ["https://cdn.kie.ai./x", "https://.kie.ai/x", "https://cdn..kie.ai/x"],
    "another host": ["https://evil.example/x", "https://a.example.evil.example/x", "http://localhost.evil.example/x"],
    "part of a host": ["https://evila.example/x", "https://sub.a.example/x", "https://example/x"],
    "an allowed host elsewhere": [
        "https://evil.example/a.example",
        "https://evil.example/?https://a.example/",
        "https://evil.example#a.example",
    ],
    "dots and zeros": ["https://a.example./x", "https://a.example%2e/x", "https://a.example%00.evil.example/x"],
    "empty labels": ["https://a..example/x", "https://.a.example/x", "https://./x"],
    "an encoded host": ["https://%61.example/x", "https://a%2Eexample/x", "https://a.example%2Fx"],
    "separators": [
        "https://a.example\\@evil.example/x",
        "https://a.example\\x",
        "https:\\\\a.example/x",
        "https://a.example\n.evil.example/x",
        "https://a.example/\r\nX: y",
        "https://a.example/\t",
        "https://a.example;evil.example/x",
        "https://a.example,evil.example/x",
        " https://a.example/x",
    ],
    "invisible": [
        "https://a.exam\u200bple/x",
        "https://a.example/\u200b",
        "https://a.example/\u202ex",
        "https://a.example/\ufeff",
    ],
    "full width": [
        "https://\uff41.example/x",
        "https://a\uff0eexample/x",
        "https://a\u3002example/x",
        "https://a.example\uff0f.evil.example/x",
        "https://a.example:\uff14\uff14\uff13/x",
        "https\uff1a//a.example/x",
        "http://\u2460\u2461\u2466.0.0.1/x",
    ],
    "a user and nothing else": [
        "https://[::1]@",
        "https://[::1]@/x",
        "https://@",
        "https://@a.example/x",
        "https://:@a.example/x",
    ],
    "too long": ["https://a.example/" + "x" * 100_000, "https://" + "a." * 50_000 + "example/x"],
    "letters that look alike": [
        "https://\u0430.example/x",
        "https://a.\u0435\u0445ample/x",
        "https://xn--80a.example/x",
    ],
    "port": [
        f"https://a.example:{port}/x" for port in ("", "0", "99999", "443443", "port", "-1", "+443", "4_43", " 443")
    ],
    "another port": ["https://narrow.example/x", "https://narrow.example:443/x"],
    "user": ["https://user@a.example/x", "https://user:secret@a.example/x", "https://:secret@a.example/x"],
    "host as user": [
        "https://a.example@evil.example/x",
        "https://a.example:x@evil.example/x",
        "http://localhost@evil.example/x",
    ],
    "loopback in other words": [
        "http://127.0.0.2/x",
        "http://127.1/x",
        "http://2130706433/x",
        "http://0x7f000001/x",
        "http://0177.0.0.1/x",
        "http://127.0.0.1./x",
        "http://127.0.0.0x1/x",
        "http://1.127.0.0.1/x",
        "http://[::7f00:1]/x",
    ],
    "IPv4": ["http://0.0.0.0/x", "http://169.254.169.254/latest/meta-data/"],
    "IPv6": [
        "http://[::ffff:127.0.0.1]/x",
        "http://[::ffff:169.254.169.254]/x",
        "http://[fe80::1]/x",
        "http://[::1/x",
        "http://::1/x",
        "http://[::1]x/",
        "http://[::1%25lo]/x",
        "http://[::1%lo]/x",
        "http://[v1.a]/x",
        "http://[]/x",
    ],
}


@pytest.mark.parametrize("urls", ALLOWED.values(), ids=ALLOWED.keys())
def test_allowed(urls: list[str]) -> None:
    assert [url for url in urls if not HOSTS.allows(url)] == []


@pytest.mark.parametrize("urls", NOT_ALLOWED.values(), ids=NOT_ALLOWED.keys())
def test_not_allowed(urls: list[str]) -> None:
    assert [url for url in urls if HOSTS.allows(url)] == []


def test_nothing_is_allowed_without_hosts() -> None:
    assert not AllowedHosts([]).allows("https://a.example/x")
    assert not AllowedHosts([]).allows("http://127.0.0.1/x")


@pytest.mark.parametrize(
    ("address", "fetched"),
    [
        ("HTTPS://A.Example", "https://a.example/"),
        ("https://a.example/%41/a%2Fb?x=%2B&y=#p", "https://a.example/%41/a%2Fb?x=%2B&y=#p"),
        ("https://a.example/über uns.png", "https://a.example/%C3%BCber%20uns.png"),
        ("https://a.example/@evil.example/", "https://a.example/@evil.example/"),
        ("https://a.example?@evil.example/", "https://a.example/?@evil.example/"),
    ],
)
def test_what_was_checked_is_what_is_fetched(address: str, fetched: str) -> None:
    assert str(HOSTS.check(address)) == fetched
    assert HOSTS.check(address).raw_host == "a.example"


@given(st.text(max_size=60) | st.text(alphabet="htps:/@[]%.\\#?x1 \n", max_size=40))
def test_any_text_is_checked_without_an_error(text: str) -> None:
    assert not AllowedHosts(["a.example"]).allows(text)
    HOSTS.allows("https://a.example/" + text)
