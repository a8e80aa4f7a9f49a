"""A message as a member sees it."""

from dataclasses import dataclass

import discord
from simcord import ResponseMessage


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a gallery: where it is, and what is read out to those who cannot see it."""

    url: str
    alt_text: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a message shows, from top to bottom."""

    content: str
    colour: int | None
    texts: tuple[str, ...]
    pictures: tuple[Picture, ...]
    buttons: tuple[str, ...]
    ephemeral: bool
    thinking: bool

    @property
    def text(self) -> str:
        """Every word of it."""
        return "\n".join(filter(None, (self.content, *self.texts)))

    @property
    def headline(self) -> str:
        """The card's first text: the prompt."""
        return self.texts[0]

    @property
    def small_print(self) -> list[str]:
        """The pieces of the card's small line."""
        (line,) = [text for text in self.texts if text.startswith("-# ")]
        return line.removeprefix("-# ").split(" · ")


def seen(message: discord.Message | ResponseMessage) -> Seen:
    """Read a message, of whatever components it is made."""
    shown = message.message if isinstance(message, ResponseMessage) else message
    texts: list[str] = []
    pictures: list[Picture] = []
    buttons: list[str] = []
    colour: int | None = None
    waiting = list(shown.components)
    while waiting:
        match waiting.pop(0):
            case discord.Container(accent_colour=accent, children=inside):
                colour = accent.value if accent is not None else None
                waiting[:0] = inside
            case discord.ActionRow(children=inside):
                waiting[:0] = inside
            case discord.TextDisplay(content=content):
                texts.append(content)
            case discord.MediaGalleryComponent(items=items):
                pictures += [Picture(item.media.url, item.description) for item in items]
            case discord.Button(label=label):
                buttons.append(label or "")
            case discord.SeparatorComponent():
                pass
            case other:
                raise AssertionError(f"a member would see a {type(other).__name__} here")
    return Seen(
        shown.content,
        colour,
        tuple(texts),
        tuple(pictures),
        tuple(buttons),
        ephemeral=shown.flags.ephemeral,
        thinking=shown.flags.loading,
    )
