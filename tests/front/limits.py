"""How large a file may be, by place."""

from dataclasses import dataclass, field

# https://discord.com/developers/docs/reference#uploading-files
DEFAULT_UPLOAD_LIMIT = 10 * 1024 * 1024


@dataclass(slots=True)
class UploadLimits:
    """The size in bytes that each single file may have: per server (boosts raise it), else `default`."""

    default: int = DEFAULT_UPLOAD_LIMIT
    guilds: dict[int, int] = field(default_factory=dict[int, int])

    def of(self, guild_id: int | None) -> int:
        """The limit in that server, or in a direct message for None."""
        return self.default if guild_id is None else self.guilds.get(guild_id, self.default)
