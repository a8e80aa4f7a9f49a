"""The configuration: config.toml, overridden by environment variables ``EASEL__SECTION__KEY``, checked once."""

import os
import tomllib
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError
from yarl import URL

from bot.domain.credits import KIE_PRICES, Period
from bot.domain.errors import OperatorError
from bot.domain.settings import Model, Resolution
from bot.network import is_loopback
from bot.store.sqlite import database_file


def _base_address(value: str, secure: str, plain: str) -> str:
    value = value.strip()
    try:
        url = URL(value)
    except ValueError as error:
        raise ValueError(f"must be a {secure}:// address") from error
    if not url.host or url.scheme not in {secure, plain} or url.query_string or url.fragment:
        raise ValueError(f"must be a {secure}:// address")
    if url.scheme == plain and not is_loopback(url.host):
        raise ValueError(f"must be a {secure}:// address; {plain}:// is for this machine alone")
    return value.rstrip("/")


def _http(value: str) -> str:
    return _base_address(value, "https", "http")


def _http_or_none(value: str) -> str:
    return _http(value) if value else ""


def _websocket_or_none(value: str) -> str:
    return _base_address(value, "wss", "ws") if value else ""


def _database(value: str) -> str:
    database_file(value)
    return value


HttpAddress = Annotated[str, AfterValidator(_http)]
OptionalHttpAddress = Annotated[str, AfterValidator(_http_or_none)]
OptionalWebsocketAddress = Annotated[str, AfterValidator(_websocket_or_none)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Price = Annotated[Decimal, Field(gt=0, le=10_000, decimal_places=3)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DiscordConfig(_Section):
    """How to reach Discord."""

    token: SecretStr = SecretStr("")
    api_url: HttpAddress = "https://discord.com/api/v10"
    gateway_url: OptionalWebsocketAddress = ""
    cdn_hosts: tuple[str, ...] = (
        "cdn.discordapp.com",
        "media.discordapp.net",
        "images-ext-1.discordapp.net",
        "images-ext-2.discordapp.net",
    )


class KieConfig(_Section):
    """How to reach KIE, and what it grants."""

    api_key: SecretStr = SecretStr("")
    base_url: HttpAddress = "https://api.kie.ai"
    upload_url: HttpAddress = "https://kieai.redpandaai.co"
    result_hosts: tuple[str, ...] = ("tempfile.aiquickdraw.com", "file.aiquickdraw.com")
    callback_url: OptionalHttpAddress = ""
    callback_key: SecretStr = SecretStr("")
    nsfw_checker: bool = True
    flex_controls: bool = False
    request_timeout: Seconds = 30
    download_timeout: Seconds = 60
    new_tasks: Annotated[int, Field(ge=1)] = 20
    new_tasks_window: Seconds = 10
    running_tasks: Annotated[int, Field(ge=1)] = 100
    balance_every: Seconds = 300
    balance_every_paused: Seconds = 15


class DatabaseConfig(_Section):
    """Where Easel keeps what it must not lose."""

    url: Annotated[str, AfterValidator(_database)] = "sqlite:///data/easel.db"


class ReferencesConfig(_Section):
    """How long members' pictures are kept, so that a wish can be made again."""

    keep_megabytes: Annotated[int, Field(ge=0)] = 2000
    keep_days: Annotated[float, Field(gt=0, le=3650)] = 90


class WebConfig(_Section):
    """Easel's own web server."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()


class QuotaConfig(_Section):
    """What a member may spend where a server has no rules of its own."""

    credits: Annotated[float, Field(ge=0, le=1_000_000)] = 50
    period: Period = Period.DAY
    direct_credits: Annotated[float, Field(ge=0, le=1_000_000)] = 50
    direct_period: Period = Period.DAY
    open_generations: Annotated[int, Field(ge=1)] = 10


class LimitsConfig(_Section):
    """What no server's admin can lift; 0 is without limit. Periods turn by UTC, whatever zone a server is in."""

    daily_budget: Annotated[float, Field(ge=0, le=1_000_000_000)] = 0
    server_credits: Annotated[float, Field(ge=0, le=1_000_000_000)] = 0
    server_period: Period = Period.MONTH
    servers: dict[Annotated[int, Field(gt=0)], Annotated[float, Field(ge=0, le=1_000_000_000)]] = {}


class PricesConfig(_Section):
    """Credits that one image costs a member, by model and resolution; to a thousandth."""

    pro_1k: Price = KIE_PRICES[Model.PRO, Resolution.ONE_K]
    pro_2k: Price = KIE_PRICES[Model.PRO, Resolution.TWO_K]
    flex_1k: Price = KIE_PRICES[Model.FLEX, Resolution.ONE_K]
    flex_2k: Price = KIE_PRICES[Model.FLEX, Resolution.TWO_K]


class OperatorConfig(_Section):
    """The operator's own server, and when they are alarmed. Ids of 0 stand for none."""

    guild: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    alarm_channel: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    alarm_below: Annotated[float, Field(ge=0, le=1_000_000_000)] = 500


class TrackerConfig(_Section):
    """When KIE is asked after a task. Times in seconds."""

    calls_per_task: Annotated[float, Field(gt=1, le=1000, allow_inf_nan=False)] = 12
    calls_per_second: Annotated[int, Field(gt=0, le=10_000)] = 100
    poll_every: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    deadline: Seconds = 600
    late_every: Seconds = 60
    late_for: Seconds = 6 * 3600
    give_up_submitting: Seconds = 180


class LogConfig(_Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Config(_Section):
    """All settings. An operator's come from :func:`load`; secrets print as asterisks."""

    discord: DiscordConfig = DiscordConfig()
    kie: KieConfig = KieConfig()
    database: DatabaseConfig = DatabaseConfig()
    references: ReferencesConfig = ReferencesConfig()
    web: WebConfig = WebConfig()
    quota: QuotaConfig = QuotaConfig()
    limits: LimitsConfig = LimitsConfig()
    prices: PricesConfig = PricesConfig()
    operator: OperatorConfig = OperatorConfig()
    tracker: TrackerConfig = TrackerConfig()
    log: LogConfig = LogConfig()


class _Loaded(Config, BaseSettings):
    model_config = SettingsConfigDict(env_prefix="EASEL__", env_nested_delimiter="__", extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what :func:`load` read from the file."""
        return env_settings, init_settings


def load(path: Path | None) -> Config:
    """The settings in a file (None: no file), overridden by the environment; raises OperatorError with one sentence."""
    written: dict[str, Any] = {}
    if path is not None:
        try:
            written = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise OperatorError(f"{path} does not exist: copy config.example.toml to it and fill it in.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise OperatorError(f"{path} cannot be read: {type(error).__name__}.") from error
        except tomllib.TOMLDecodeError as error:
            raise OperatorError(f"{path} is not valid TOML: {error}.") from error
    _refuse_unknown_sections(written)
    try:
        return _Loaded(**written)
    except (ValidationError, SettingsError) as error:
        raise OperatorError(_sentence(error)) from None


def _refuse_unknown_sections(written: Iterable[str]) -> None:
    """What the settings library would take for its own options, or not look at."""
    prefix = "EASEL__"
    variables = (name.upper() for name in os.environ if name.upper().startswith(prefix))
    named = {section: section for section in written}
    named |= {variable.removeprefix(prefix).partition("__")[0].lower(): variable for variable in variables}
    for section, name in named.items():
        if section not in Config.model_fields:
            raise OperatorError(f"The configuration is wrong: {name}: is not a setting that Easel knows.")


def require_secrets(config: Config) -> None:
    """Raise OperatorError when what nobody can run without is missing."""
    for name, secret in (("discord.token", config.discord.token), ("kie.api_key", config.kie.api_key)):
        if not secret.get_secret_value().strip():
            variable = f"EASEL__{name.upper().replace('.', '__')}"
            raise OperatorError(f"{name} is missing: put it into config.toml or into {variable}.")


def _sentence(error: ValidationError | SettingsError) -> str:
    """What is wrong and where, without the value, which may be a secret."""
    if isinstance(error, SettingsError):
        return 'An EASEL__ environment variable cannot be read: lists are written as JSON, as in ["one", "two"].'
    problems: list[str] = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            what = "is not a setting that Easel knows"
        problems.append(f"{where}: {what}")
    return f"The configuration is wrong: {'; '.join(problems)}."
