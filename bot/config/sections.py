"""The sections of config.toml: each setting with its bounds and its default."""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.config.sources import strip
from bot.config.types import (
    Count,
    Database,
    Days,
    Host,
    HttpUrl,
    OptionalHttpUrl,
    OptionalNearbyHttpUrl,
    OptionalWebsocketUrl,
    Price,
    PriceOrFree,
    Seconds,
    Secret,
    Timeout,
)
from bot.domain.credits import KIE_PRICES, Period
from bot.domain.ids import PROCESSES
from bot.domain.kie_limits import KIE_LIMITS
from bot.domain.settings import Model, Resolution


class Section(BaseModel):
    """Immutable, and knows every key; a boolean is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _strip(cls, settings: Any) -> Any:
        return strip(settings)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """``daily_budget = false`` would be 0, and so no limit."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("must not be true or false")
        return value


class DiscordConfig(Section):
    """Discord's token, who may use the bot, Discord's addresses, and the hosts of members' images."""

    token: Secret = SecretStr("")
    token_file: str = ""
    guilds: tuple[Annotated[int, Field(gt=0, lt=1 << 63)], ...] = ()
    direct_messages: Literal["auto", "on", "off"] = "auto"
    user_install: bool = False
    api_url: HttpUrl = "https://discord.com/api/v10"
    gateway_url: OptionalWebsocketUrl = ""
    cdn_hosts: tuple[Host, ...] = (
        "cdn.discordapp.com",
        "media.discordapp.net",
        "images-ext-1.discordapp.net",
        "images-ext-2.discordapp.net",
    )


class KieConfig(Section):
    """KIE's key, addresses, limits and callbacks. Times in seconds."""

    api_key: Secret = SecretStr("")
    api_key_file: str = ""
    base_url: HttpUrl = "https://api.kie.ai"
    upload_url: HttpUrl = "https://kieai.redpandaai.co"
    result_hosts: tuple[Host, ...] = (".aiquickdraw.com", ".redpandaai.co", ".kie.ai")
    callback_url: OptionalHttpUrl = ""
    callback_key: Secret = SecretStr("")
    callback_key_file: str = ""
    nsfw_checker: bool = True
    flex_controls: bool = False
    request_timeout: Timeout = 30
    download_timeout: Timeout = 60
    new_tasks: Count = KIE_LIMITS.new_tasks
    new_tasks_window: Timeout = KIE_LIMITS.window
    running_tasks: Count = KIE_LIMITS.running_tasks
    balance_every: Seconds = 300
    balance_every_paused: Seconds = 15


class DatabaseConfig(Section):
    """Where the database is, and the folder for everything else that is kept: by default the one of the SQLite file."""

    url: Database = "sqlite:///data/easel.db"
    password: Secret = SecretStr("")
    password_file: str = ""
    folder: str = ""


class BackupConfig(Section):
    """Automatic backups of a SQLite database: every so many hours (0 for none), and how many are kept."""

    every: Annotated[int, Field(ge=0, le=1000)] = 24
    keep: Count = 7


class ReferencesConfig(Section):
    """How long members' images are kept, so that a request can be repeated."""

    keep_megabytes: Annotated[int, Field(ge=0, le=100_000_000)] = 2000
    keep_days: Annotated[float, Field(ge=0.01, le=3650)] = 90
    set_megabytes: Annotated[int, Field(ge=0, le=100_000_000)] = 2000


class PreviewsConfig(Section):
    """How many previews of images /history has."""

    keep_megabytes: Annotated[int, Field(ge=0, le=1_000_000)] = 200


class RetentionConfig(Section):
    """After how many days what is deleted, or folded into sums; 0 for never."""

    prompts: Days = 365
    images: Days = 365
    ledger: Days = 0
    credit_requests: Days = 90
    reports: Days = 90
    drafts: Days = 1
    uploads: Days = 1
    undelivered: Annotated[int, Field(ge=0, le=14)] = 7

    @field_validator("ledger")
    @classmethod
    def _whole_periods(cls, days: int) -> int:
        """Allowances and reports look back for a month, in any time zone."""
        if 0 < days < 62:
            raise ValueError("must be 0, or at least 62: allowances and reports need the last month")
        return days


class WebConfig(Section):
    """The web server for health checks and KIE's callbacks."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()


class MetricsConfig(Section):
    """Where Prometheus reads metrics: at an address of its own, or on the web server with a token; else nowhere."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    token: Secret = SecretStr("")
    token_file: str = ""


class SentryConfig(Section):
    """Where errors are reported."""

    dsn: Secret = SecretStr("")
    dsn_file: str = ""


class QuotaConfig(Section):
    """A member's default allowance in credits, for servers without rules of their own and for direct messages."""

    credits: Annotated[float, Field(ge=0, le=1_000_000)] = 50
    period: Period = Period.DAY
    direct_credits: Annotated[float, Field(ge=0, le=1_000_000)] = 50
    direct_period: Period = Period.DAY
    open_generations: Count = 10


class LimitsConfig(Section):
    """The operator's limits in credits, which no server admin can raise. Periods start by UTC.

    0 is for no limit, but in ``servers`` for nothing at all.
    """

    daily_budget: Annotated[float, Field(ge=0, le=1_000_000_000)] = 500
    server_credits: Annotated[float, Field(ge=0, le=1_000_000_000)] = 0
    server_period: Period = Period.MONTH
    servers: dict[Annotated[int, Field(gt=0, lt=1 << 63)], Annotated[float, Field(ge=0, le=1_000_000_000)]] = {}


class PricesConfig(Section):
    """Credits that one image costs a member, by model and resolution; at most three decimal places."""

    pro_1k: Price = KIE_PRICES[Model.PRO, Resolution.ONE_K]
    pro_2k: Price = KIE_PRICES[Model.PRO, Resolution.TWO_K]
    flex_1k: Price = KIE_PRICES[Model.FLEX, Resolution.ONE_K]
    flex_2k: Price = KIE_PRICES[Model.FLEX, Resolution.TWO_K]


class OperatorConfig(Section):
    """The operator's server and alerts. An id of 0 means none."""

    guild: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    alert_channel: Annotated[
        int, Field(ge=0, lt=1 << 63, validation_alias=AliasChoices("alert_channel", "alarm_channel"))
    ] = 0
    alert_below: Annotated[
        float, Field(ge=0, le=1_000_000_000, validation_alias=AliasChoices("alert_below", "alarm_below"))
    ] = 500


class AssistantConfig(Section):
    """The prompt helper: an endpoint that speaks OpenAI's API, its model, its price, and how often it may be used."""

    base_url: OptionalNearbyHttpUrl = ""
    api_key: Secret = SecretStr("")
    api_key_file: str = ""
    model: Annotated[str, Field(max_length=200)] = ""
    price: PriceOrFree = Decimal(0)
    """In credits, for the three rewordings of a prompt."""
    per_hour: Annotated[int, Field(ge=1, le=1000)] = 10

    @model_validator(mode="after")
    def _needs_a_model(self) -> Self:
        if self.base_url and not self.model:
            raise ValueError("model is missing: name one that the endpoint at base_url has")
        return self


class TrackerConfig(Section):
    """When KIE is polled, and when a task is given up. Times in seconds."""

    polls_per_task: Annotated[
        float,
        Field(gt=1, le=1000, allow_inf_nan=False, validation_alias=AliasChoices("polls_per_task", "calls_per_task")),
    ] = 12
    polls_per_second: Annotated[
        int, Field(gt=0, le=10_000, validation_alias=AliasChoices("polls_per_second", "calls_per_second"))
    ] = 100
    poll_every: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 0
    deadline: Seconds = 600
    late_every: Seconds = 60
    late_for: Seconds = 6 * 3600
    give_up_submitting: Seconds = 180


class ClusterConfig(Section):
    """Discord's shards, and what this process does where several share a PostgreSQL database. ``lease`` in seconds."""

    role: Literal["all", "gateway", "worker"] = "all"
    gateways: Annotated[int, Field(ge=1, le=PROCESSES)] = 1
    shards: Annotated[int, Field(ge=0, le=10_000)] = 0
    lease: Annotated[float, Field(ge=2, le=300)] = 10


class LogConfig(Section):
    """The log's level and format."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"
