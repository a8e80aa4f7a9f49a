"""Which URLs may be fetched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.media.fetch import AllowedHosts

HOSTS = AllowedHosts(["a.example", "B.Example", "localhost", "127.0.0.1", "::1", "narrow.example:8443"])
ALLOWED = {
    "host": ["https://a.example", "https://A.EXAMPLE/x", "HTTPS://a.example/x", "https://b.example/x"],
    "path": ["https://a.example/x.png?sig=a%2Fb%3D&x=1#part"],
    "port": ["https://a.example:443/x", "https://a.example:8443/x", "https://narrow.example:8443/x"],
    "this machine": ["https://localhost/x", "http://localhost/x", "http://LOCALHOST:8080/x"],
    "its addresses": ["http://127.0.0.1:8080/x", "http://[::1]:8080/x"],
}
NOT_ALLOWED = {
    "plain http": ["http://a.example/x", "http://narrow.example:8443/x"],
    "other schemes": ["ftp://a.example/x", "file:///etc/passwd", "file://localhost/etc/passwd", "javascript:alert(1)"],
    "data": ["data:image/png;base64,AAAA"],
    "no scheme": ["//a.example/x", "a.example/x", "", " "],
    "no host": ["https:a.example", "https:///x", "https://"],
    "another host": ["https://evil.example/x", "https://a.example.evil.example/x", "http://localhost.evil.example/x"],
    "part of a host": ["https://evila.example/x", "https://sub.a.example/x", "https://example/x"],
    "an allowed host elsewhere": [
        "https://evil.example/a.example",
        "https://evil.example/?https://a.example/",
        "https://evil.example#a.example",
    ],
    "dots and zeros": ["https://a.example./x", "https://a.example%2e/x", "https://a.example%00.evil.example/x"],
    "separators": ["https://a.example\\@evil.example/x", "https://a.example\n.evil.example/x"],
    "letters that look alike": [
        "https://\u0430.example/x",
        "https://a.\u0435\u0445ample/x",
        "https://xn--80a.example/x",
    ],
    "port": ["https://a.example:99999/x", "https://a.example:port/x"],
    "another port": ["https://narrow.example/x", "https://narrow.example:443/x"],
    "user": ["https://user@a.example/x", "https://user:secret@a.example/x", "https://:secret@a.example/x"],
    "host as user": [
        "https://a.example@evil.example/x",
        "https://a.example:x@evil.example/x",
        "http://localhost@evil.example/x",
    ],
    "loopback in other words": ["http://127.0.0.2/x", "http://127.1/x", "http://2130706433/x", "http://0x7f000001/x"],
    "IPv4": ["http://0.0.0.0/x", "http://169.254.169.254/latest/meta-data/"],
    "IPv6": ["http://[::ffff:127.0.0.1]/x", "http://[::ffff:169.254.169.254]/x", "http://[fe80::1]/x", "http://[::1/x"],
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


@given(st.text(max_size=60) | st.text(alphabet="htps:/@[]%.\\#?x1 \n", max_size=40))
def test_any_text_is_checked_without_an_error(text: str) -> None:
    assert not AllowedHosts(["a.example"]).allows(text)
    HOSTS.allows("https://a.example/" + text)
