"""A message as a member sees it."""

from dataclasses import dataclass

import discord
from simcord import ResponseMessage


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """An image of a gallery, or beside a text."""

    url: str
    alt_text: str | None


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a message shows, from top to bottom. No-break spaces look like spaces, and are such here."""

    content: str
    colour: int | None
    texts: tuple[str, ...]
    images: tuple[RenderedImage, ...]
    buttons: tuple[str, ...]
    files: tuple[str, ...]
    """Their addresses."""
    selected: tuple[str, ...]
    """What each select shows."""
    ephemeral: bool
    thinking: bool

    @property
    def text(self) -> str:
        """All of its text."""
        return "\n".join(filter(None, (self.content, *self.texts)))

    @property
    def headline(self) -> str:
        """The first text of a card: the prompt."""
        return self.texts[0]

    @property
    def small_print(self) -> list[str]:
        """The pieces of a card's line in small print."""
        (line,) = [text for text in self.texts if text.startswith("-# ")]
        return line.removeprefix("-# ").split(" · ")

    @property
    def notes(self) -> list[str]:
        """The other lines of a card: its status, or what there is to say about the outcome."""
        return [line for text in self.texts[1:] if not text.startswith("-# ") for line in text.splitlines()]


def rendered(message: discord.Message | ResponseMessage) -> Rendered:
    """Read a message, whatever components it has."""
    shown = message.message if isinstance(message, ResponseMessage) else message
    texts: list[str] = []
    images: list[RenderedImage] = []
    buttons: list[str] = []
    files: list[str] = []
    selected: list[str] = []
    colour: int | None = None
    components = list(shown.components)
    while components:
        match components.pop(0):
            case discord.Container(accent_colour=accent, children=children):
                colour = accent.value if accent is not None else None
                components[:0] = children
            case discord.ActionRow(children=children):
                components[:0] = children
            case discord.TextDisplay(content=content):
                texts.append(content.replace("\N{NO-BREAK SPACE}", " "))
            case discord.SectionComponent(children=children, accessory=accessory):
                components[:0] = [*children, accessory]
            case discord.ThumbnailComponent(media=media, description=description):
                images.append(RenderedImage(media.url, description))
            case discord.FileComponent(media=media):
                files.append(media.url)
            case discord.MediaGalleryComponent(items=items):
                images += [RenderedImage(item.media.url, item.description) for item in items]
            case discord.Button(label=label):
                buttons.append(label or "")
            case discord.SelectMenu(options=options):
                selected += [option.label for option in options if option.default]
            case discord.SeparatorComponent():
                pass
            case other:
                raise AssertionError(f"a member would see a {type(other).__name__} here")
    return Rendered(
        shown.content,
        colour,
        tuple(texts),
        tuple(images),
        tuple(buttons),
        tuple(files),
        tuple(selected),
        ephemeral=shown.flags.ephemeral,
        thinking=shown.flags.loading,
    )
