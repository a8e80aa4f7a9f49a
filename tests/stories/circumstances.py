"""What a story may want otherwise."""

from dataclasses import dataclass
from pathlib import Path

from bot.config import Config, DatabaseConfig, DiscordConfig, KieConfig, QuotaConfig, TrackerConfig

_KEY = "test-key"
_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a story may want otherwise."""

    credits: int = 50
    open_generations: int = 10
    new_tasks: int = 20
    new_tasks_window: float = 10
    flex_controls: bool = False
    deadline: float = 600
    give_up_submitting: float = 180
    sees_all: bool = False
    """Whether Discord grants the message-content intent."""


def configured(kie_url: str, database: Path, chosen: Circumstances) -> Config:
    """The bot's configuration under these circumstances."""
    return Config(
        discord=DiscordConfig(cdn_hosts=("127.0.0.1",)),
        kie=KieConfig.model_validate(
            {
                "api_key": _KEY,
                "base_url": kie_url,
                "upload_url": kie_url,
                "result_hosts": ("127.0.0.1",),
                "new_tasks": chosen.new_tasks,
                "new_tasks_window": chosen.new_tasks_window,
                "flex_controls": chosen.flex_controls,
            }
        ),
        database=DatabaseConfig(url=f"sqlite:///{database}"),
        quota=QuotaConfig(credits=chosen.credits, open_generations=chosen.open_generations),
        tracker=TrackerConfig(
            poll_every=_SECONDS,
            late_every=_SECONDS,
            deadline=chosen.deadline,
            give_up_submitting=chosen.give_up_submitting,
        ),
    )
