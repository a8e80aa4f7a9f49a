"""The types of settings: URLs, hosts, secrets, and numbers with their limits. White space is stripped before."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from bot.config.sources import strip
from bot.network import is_loopback, is_private, parse_address
from bot.store import postgres, sqlite

_QUOTES = frozenset({'""', "''", "``", "\u201c\u201d", "\u2018\u2019", "\u201e\u201c", "\u00ab\u00bb"})


def _base_url(
    value: str,
    secure: str,
    plain: str,
    is_near: Callable[[str], bool] = is_loopback,
    near: str = "this machine",
) -> str:
    """The URL without a trailing slash; ``plain`` is the unencrypted scheme, allowed for hosts that are near only."""
    scheme, _, rest = value.partition("://")
    scheme = scheme.lower()
    try:
        # What is valid after ws:// and wss:// is so after https:// too.
        url = parse_address(f"https://{rest}")
    except ValueError as error:
        raise ValueError(f"must be a valid {secure}:// URL") from error
    if scheme not in {secure, plain} or url.query_string or url.fragment:
        raise ValueError(f"must be a valid {secure}:// URL")
    if scheme == plain and not is_near(url.raw_host or ""):
        raise ValueError(f"must be a valid {secure}:// URL; {plain}:// is only allowed for {near}")
    return value.rstrip("/")


def _http(value: str) -> str:
    return _base_url(value, "https", "http")


def _http_or_none(value: str) -> str:
    return _http(value) if value else ""


def _http_nearby_or_none(value: str) -> str:
    near = "this machine, private addresses and names without a dot, such as a container's"
    return _base_url(value, "https", "http", is_private, near) if value else ""


def _websocket_or_none(value: str) -> str:
    return _base_url(value, "wss", "ws") if value else ""


def _host(value: str) -> str:
    """A host as in a URL, with or without a port, or a domain of at least two labels after a dot."""
    value = value.lower()
    name = value.removeprefix(".")
    try:
        url = parse_address(f"https://{name}/")
    except ValueError:
        url = None
    # Anything but a host would be read as a path, or as part of one.
    if url is None or url.path != "/" or "/" in name or (value.startswith(".") and "." not in name):
        raise ValueError("must be a host, or a dot and a domain such as .kie.ai")
    return value


def database_url(value: str) -> str:
    """The URL itself; raises ValueError unless it names a SQLite file or a PostgreSQL database."""
    if postgres.is_url(value):
        postgres.conninfo(value)
        return value
    try:
        sqlite.database_file(value)
    except ValueError as error:
        raise ValueError("must look like sqlite:///path/to/easel.db or postgresql://user@host/database") from error
    return value


def _secret(value: SecretStr) -> SecretStr:
    """Without quotation marks around it, which ``docker --env-file`` and copied examples leave there."""
    secret = value.get_secret_value()
    if len(secret) > 1 and secret[0] + secret[-1] in _QUOTES:
        secret = strip(secret[1:-1])
    # aiohttp refuses to send such a key, once per request.
    if not secret.isprintable():
        raise ValueError("must be one line without tabs or other invisible characters")
    return SecretStr(secret)


Secret = Annotated[SecretStr, AfterValidator(_secret)]
HttpUrl = Annotated[str, AfterValidator(_http)]
OptionalHttpUrl = Annotated[str, AfterValidator(_http_or_none)]
OptionalNearbyHttpUrl = Annotated[str, AfterValidator(_http_nearby_or_none)]
OptionalWebsocketUrl = Annotated[str, AfterValidator(_websocket_or_none)]
Database = Annotated[str, AfterValidator(database_url)]
Host = Annotated[str, AfterValidator(_host)]
Seconds = Annotated[float, Field(ge=0.01, le=30 * 24 * 3600, allow_inf_nan=False)]
Timeout = Annotated[float, Field(ge=0.01, le=3600, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=100_000)]
Days = Annotated[int, Field(ge=0, le=36_500)]
Price = Annotated[Decimal, Field(gt=0, le=10_000, decimal_places=3)]
PriceOrFree = Annotated[Decimal, Field(ge=0, le=10_000, decimal_places=3)]
