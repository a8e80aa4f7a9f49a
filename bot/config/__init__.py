"""The configuration: config.toml, overridden by environment variables ``EASEL__SECTION__KEY``.

config.example.toml documents every setting and shows its default.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from bot.config.errors import describe, unknown_sources, variable_of
from bot.config.sections import (
    AssistantConfig,
    BackupConfig,
    ClusterConfig,
    DatabaseConfig,
    DiscordConfig,
    KieConfig,
    LimitsConfig,
    LogConfig,
    MetricsConfig,
    OperatorConfig,
    PreviewsConfig,
    PricesConfig,
    QuotaConfig,
    ReferencesConfig,
    RetentionConfig,
    Section,
    SentryConfig,
    TrackerConfig,
    WebConfig,
)
from bot.config.sources import SECRETS, read_toml, strip, with_secret_files
from bot.domain.errors import OperatorError
from bot.store.postgres import passwords_in


class Config(Section):
    """All settings with their defaults; :func:`load` reads the operator's. Secrets print as asterisks."""

    discord: DiscordConfig = DiscordConfig()
    kie: KieConfig = KieConfig()
    database: DatabaseConfig = DatabaseConfig()
    backup: BackupConfig = BackupConfig()
    references: ReferencesConfig = ReferencesConfig()
    previews: PreviewsConfig = PreviewsConfig()
    retention: RetentionConfig = RetentionConfig()
    web: WebConfig = WebConfig()
    quota: QuotaConfig = QuotaConfig()
    limits: LimitsConfig = LimitsConfig()
    prices: PricesConfig = PricesConfig()
    operator: OperatorConfig = OperatorConfig()
    assistant: AssistantConfig = AssistantConfig()
    tracker: TrackerConfig = TrackerConfig()
    cluster: ClusterConfig = ClusterConfig()
    log: LogConfig = LogConfig()
    metrics: MetricsConfig = MetricsConfig()
    sentry: SentryConfig = SentryConfig()

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, settings: Any) -> Any:
        return with_secret_files(strip(settings)) if isinstance(settings, dict) else settings

    @model_validator(mode="after")
    def _alone_with_sqlite(self) -> Self:
        """Several processes need a database that they can share."""
        shared = {"cluster.role": self.cluster.role != "all", "cluster.gateways": self.cluster.gateways > 1}
        if self.database.url.startswith("sqlite") and any(shared.values()):
            settings = " and ".join(name for name, value in shared.items() if value)
            raise ValueError(f"{settings}: only a PostgreSQL database can serve several processes")
        return self


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
        """The environment takes precedence over what :func:`load` read from the file."""
        return env_settings, init_settings


class InvalidConfiguration(OperatorError):
    """Settings that cannot be used, each with its problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(f"The configuration is invalid: {'; '.join(problems)}.")
        self.problems = problems


def load(path: Path | None) -> Config:
    """Read a file (None: no file) and the environment; raises OperatorError naming every invalid setting."""
    sections = read_toml(path) if path is not None else {}
    known, lists = {*Config.model_fields}, set[str]()
    for section, field in Config.model_fields.items():
        defaults: Section = field.default
        known |= {f"{section}.{name}" for name in type(defaults).model_fields}
        lists |= {f"{section}.{name}" for name, value in defaults if isinstance(value, tuple | dict)}
    problems = unknown_sources(sections, os.environ, known)
    try:
        if not problems:
            return _Loaded(**sections)
    except (ValidationError, SettingsError) as error:
        problems = describe(error, known, lists, os.environ)
    raise InvalidConfiguration(problems)


def secrets_of(config: Config) -> list[str]:
    """Everything in the settings that must not be logged."""
    secrets = [getattr(getattr(config, section), name) for section, names in SECRETS.items() for name in names]
    return [*(secret.get_secret_value() for secret in secrets), *passwords_in(config.database.url)]


def secret_files_of(config: Config) -> list[str]:
    """The files in which secrets are, as far as there are any."""
    return [getattr(getattr(config, section), f"{name}_file") for section, names in SECRETS.items() for name in names]


def secret_problem(name: str, secret: SecretStr) -> str | None:
    """What is wrong with a secret that the bot cannot do without, if anything; ``name`` is its setting."""
    value = secret.get_secret_value()
    if not value:
        variable = variable_of(name)
        return (
            f"{name} is missing: set it in config.toml or in {variable}, or name a file that holds it in "
            f"{variable}_FILE."
        )
    if not value.isascii() or " " in value:
        return f"{name} contains a space or a character that none has: copy it again."
    return None


def require_secrets(config: Config) -> None:
    """Raise OperatorError when the bot's token or KIE's key is missing."""
    for name, secret in (("discord.token", config.discord.token), ("kie.api_key", config.kie.api_key)):
        if problem := secret_problem(name, secret):
            raise OperatorError(problem)
