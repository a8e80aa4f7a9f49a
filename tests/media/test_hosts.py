"""Which addresses may be fetched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.media.addresses import is_loopback
from bot.media.fetch import AllowedHosts

HOSTS = AllowedHosts(
    ["files.example.com", "CDN.Example.com", "localhost", "127.0.0.1", "::1", "narrow.example.com:8443"]
)


@pytest.mark.parametrize(
    "address",
    [
        "https://files.example.com/a.png",
        "https://files.example.com",
        "https://files.example.com/a.png?sig=a%2Fb%3D&x=1#part",
        "https://files.example.com:443/a.png",
        "https://files.example.com:8443/a.png",
        "https://FILES.EXAMPLE.COM/a.png",
        "HTTPS://files.example.com/a.png",
        "https://cdn.example.com/a.png",
        "https://narrow.example.com:8443/a.png",
        "http://localhost/a.png",
        "http://LOCALHOST:8080/a.png",
        "http://127.0.0.1:8080/a.png",
        "http://[::1]:8080/a.png",
        "https://localhost/a.png",
    ],
)
def test_allowed(address: str) -> None:
    assert HOSTS.allows(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://files.example.com/a.png",
        "ftp://files.example.com/a.png",
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "//files.example.com/a.png",
        "files.example.com/a.png",
        "https:files.example.com",
        "https:///a.png",
        "https://",
        "",
        " ",
        "https://evil.example.com/a.png",
        "https://files.example.com.evil.com/a.png",
        "https://evilfiles.example.com/a.png",
        "https://sub.files.example.com/a.png",
        "https://example.com/files.example.com",
        "https://evil.com/?https://files.example.com/",
        "https://evil.com#files.example.com",
        "https://files.example.com./a.png",
        "https://files.example.com%2e/a.png",
        "https://files.example.com%00.evil.com/a.png",
        "https://files.example.com\\@evil.com/a.png",
        "https://files.example.com\n.evil.com/a.png",
        "https://files.example.com:99999/a.png",
        "https://files.example.com:port/a.png",
        "https://user@files.example.com/a.png",
        "https://user:secret@files.example.com/a.png",
        "https://:secret@files.example.com/a.png",
        "https://files.example.com@evil.com/a.png",
        "https://files.example.com:x@evil.com/a.png",
        "https://narrow.example.com/a.png",
        "https://narrow.example.com:443/a.png",
        "http://narrow.example.com:8443/a.png",
        "https://files.\u0435\u0445ample.com/a.png",
        "https://xn--fles-ipa.example.com/a.png",
        "http://127.0.0.2/a.png",
        "http://127.1/a.png",
        "http://2130706433/a.png",
        "http://0x7f000001/a.png",
        "http://0.0.0.0/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.1]/a.png",
        "http://[::ffff:169.254.169.254]/a.png",
        "http://[fe80::1]/a.png",
        "http://[::1/a.png",
        "http://localhost.evil.com/a.png",
        "http://localhost@evil.com/a.png",
    ],
)
def test_not_allowed(address: str) -> None:
    assert not HOSTS.allows(address)


def test_nothing_is_allowed_without_hosts() -> None:
    assert not AllowedHosts([]).allows("https://files.example.com/a.png")
    assert not AllowedHosts([]).allows("http://127.0.0.1/a.png")


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("128.0.0.1", False),
        ("::", False),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_what_is_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here


@given(st.text(max_size=60) | st.text(alphabet="htps:/@[]%.\\#?x1 \n", max_size=40))
def test_any_text_is_judged_without_an_error(text: str) -> None:
    assert not AllowedHosts(["files.example.com"]).allows(text)
    HOSTS.allows("https://files.example.com/" + text)
