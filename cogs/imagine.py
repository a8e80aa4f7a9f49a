"""/imagine: a prompt, up to eight pictures, and how to paint."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.credits import PriceList
from bot.domain.generation import GenerationRequest
from bot.domain.settings import (
    COUNT_MAX,
    GUIDANCE_MAX,
    GUIDANCE_MIN,
    PROMPT_MAX,
    PROMPT_MIN,
    STEPS,
    AspectRatio,
    Model,
    Resolution,
    Settings,
)
from bot.generation.service import GenerationService
from bot.ui.acknowledger import Acknowledger
from bot.ui.interactions import requester, sources
from bot.ui.texts import commands as texts

Tree = app_commands.CommandTree[EaselClient]
Command = app_commands.Command[Any, ..., None]
_Prompt = app_commands.Range[str, PROMPT_MIN, PROMPT_MAX]
_Count = app_commands.Range[int, 1, COUNT_MAX]
_Steps = app_commands.Range[int, STEPS.start, STEPS.stop - 1]
_Guidance = app_commands.Range[float, GUIDANCE_MIN, GUIDANCE_MAX]
_Picture = discord.Attachment | None

_described = app_commands.describe(
    prompt=texts.OPTION_PROMPT,
    image=texts.OPTION_IMAGE,
    model=texts.OPTION_MODEL,
    aspect_ratio=texts.OPTION_ASPECT_RATIO,
    resolution=texts.OPTION_RESOLUTION,
    count=texts.OPTION_COUNT,
    private=texts.OPTION_PRIVATE,
    **{f"image{number}": texts.OPTION_FURTHER_IMAGE for number in range(2, 9)},
)


class _Imagine(commands.Cog):
    """What both forms of the command do."""

    _command: Command

    def __init__(self, generations: GenerationService, acknowledger: Acknowledger, tree: Tree) -> None:
        self._generations = generations
        self._acknowledger = acknowledger
        self._tree = tree

    async def cog_load(self) -> None:
        """A command that was not made by a decorator is not found in a cog by itself."""
        self._tree.add_command(self._command)

    async def cog_unload(self) -> None:
        """Leave nothing behind."""
        self._tree.remove_command(self._command.name)

    async def _make(
        self,
        interaction: discord.Interaction[Any],
        prompt: str,
        images: Sequence[discord.Attachment | None],
        settings: Settings,
        count: int,
        *,
        private: bool,
    ) -> None:
        destination = await self._acknowledger.acknowledge(interaction, private=private)
        request = GenerationRequest(requester(interaction), prompt, settings, count, (), destination)
        await self._generations.accept(request, sources(images))


@final
class Imagine(_Imagine):
    """The command as KIE's schema has it."""

    def __init__(
        self, generations: GenerationService, acknowledger: Acknowledger, tree: Tree, prices: PriceList
    ) -> None:
        super().__init__(generations, acknowledger, tree)
        self._command = _command(self.imagine, prices)

    @_described
    async def imagine(
        self,
        interaction: discord.Interaction[Any],
        prompt: _Prompt,
        image: _Picture = None,
        model: str = Model.PRO.value,
        aspect_ratio: str | None = None,
        resolution: str = Resolution.ONE_K.value,
        count: _Count = 1,
        private: bool = False,
        image2: _Picture = None,
        image3: _Picture = None,
        image4: _Picture = None,
        image5: _Picture = None,
        image6: _Picture = None,
        image7: _Picture = None,
        image8: _Picture = None,
    ) -> None:
        """Make a picture."""
        images = (image, image2, image3, image4, image5, image6, image7, image8)
        settings = _settings(model, aspect_ratio, resolution, images)
        await self._make(interaction, prompt, images, settings, count, private=private)


@final
class ImagineWithFlexControls(_Imagine):
    """The command with the two controls for flex that an operator can turn on."""

    def __init__(
        self, generations: GenerationService, acknowledger: Acknowledger, tree: Tree, prices: PriceList
    ) -> None:
        super().__init__(generations, acknowledger, tree)
        self._command = _command(self.imagine, prices)

    @_described
    @app_commands.describe(steps=texts.OPTION_STEPS, guidance=texts.OPTION_GUIDANCE)
    async def imagine(
        self,
        interaction: discord.Interaction[Any],
        prompt: _Prompt,
        image: _Picture = None,
        model: str = Model.PRO.value,
        aspect_ratio: str | None = None,
        resolution: str = Resolution.ONE_K.value,
        count: _Count = 1,
        private: bool = False,
        steps: _Steps | None = None,
        guidance: _Guidance | None = None,
        image2: _Picture = None,
        image3: _Picture = None,
        image4: _Picture = None,
        image5: _Picture = None,
        image6: _Picture = None,
        image7: _Picture = None,
        image8: _Picture = None,
    ) -> None:
        """Make a picture."""
        images = (image, image2, image3, image4, image5, image6, image7, image8)
        settings = _settings(model, aspect_ratio, resolution, images, steps, guidance)
        await self._make(interaction, prompt, images, settings, count, private=private)


def _command(callback: Callable[..., Coroutine[Any, Any, None]], prices: PriceList) -> Command:
    """The command; its choices show prices, so it is made when these are known."""
    offered = app_commands.choices(
        model=[app_commands.Choice(name=texts.model_choice(one, prices), value=one.value) for one in Model],
        aspect_ratio=[app_commands.Choice(name=texts.aspect_ratio_choice(one), value=one.value) for one in AspectRatio],
        resolution=[app_commands.Choice(name=texts.resolution_choice(one), value=one.value) for one in Resolution],
    )
    return offered(app_commands.Command(name="imagine", description=texts.COMMAND_IMAGINE, callback=callback))


def _settings(
    model: str,
    aspect_ratio: str | None,
    resolution: str,
    images: Sequence[discord.Attachment | None],
    steps: int | None = None,
    guidance: float | None = None,
) -> Settings:
    """Without a ratio a picture keeps the shape of its first reference, or is square when it has none."""
    ratio = aspect_ratio or (AspectRatio.AUTO if any(images) else AspectRatio.SQUARE)
    return Settings(Model(model), AspectRatio(ratio), Resolution(resolution), steps, guidance)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    services = bot.services
    form = ImagineWithFlexControls if bot.command_options.flex_controls else Imagine
    await bot.add_cog(form(services.generations, services.acknowledger, bot.tree, services.prices))
