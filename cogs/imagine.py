"""/imagine: a prompt, optional images to work from, and how to make the image."""

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
    REFERENCES_MAX,
    STEPS,
    AspectRatio,
    Model,
    Resolution,
    Settings,
)
from bot.generation.service import GenerationService
from bot.ui.acknowledger import Acknowledger
from bot.ui.interactions import requester
from bot.ui.message_images import source_of
from bot.ui.texts import commands as texts

Tree = app_commands.CommandTree[EaselClient]
Command = app_commands.Command[Any, ..., None]
_Prompt = app_commands.Range[str, PROMPT_MIN, PROMPT_MAX]
_Count = app_commands.Range[int, 1, COUNT_MAX]
_Steps = app_commands.Range[int, STEPS.start, STEPS.stop - 1]
_Guidance = app_commands.Range[float, GUIDANCE_MIN, GUIDANCE_MAX]
_Image = discord.Attachment | None

_described = app_commands.describe(
    prompt=texts.PROMPT,
    image=texts.image(1),
    model=texts.MODEL,
    aspect_ratio=texts.ASPECT_RATIO,
    resolution=texts.RESOLUTION,
    count=texts.COUNT,
    private=texts.PRIVATE,
    **{f"image{number}": texts.image(number) for number in range(2, REFERENCES_MAX + 1)},
)


@final
class Imagine(commands.Cog):
    """One command in two forms: the operator decides whether it offers flex's steps and guidance."""

    def __init__(
        self,
        generations: GenerationService,
        acknowledger: Acknowledger,
        prices: PriceList,
        tree: Tree,
        *,
        flex_controls: bool,
    ) -> None:
        self._generations = generations
        self._acknowledger = acknowledger
        self._tree = tree
        self._command = _command(self.imagine_with_flex_controls if flex_controls else self.imagine, prices)

    async def cog_load(self) -> None:
        """Register the command, which discord.py finds in a cog only if a decorator made it."""
        self._tree.add_command(self._command)

    async def cog_unload(self) -> None:
        """Remove the command."""
        self._tree.remove_command(self._command.name)

    @_described
    async def imagine(
        self,
        interaction: discord.Interaction[Any],
        prompt: _Prompt,
        image: _Image = None,
        model: str = Model.PRO.value,
        aspect_ratio: str | None = None,
        resolution: str = Resolution.ONE_K.value,
        count: _Count = 1,
        private: bool = False,
        image2: _Image = None,
        image3: _Image = None,
        image4: _Image = None,
        image5: _Image = None,
        image6: _Image = None,
        image7: _Image = None,
        image8: _Image = None,
    ) -> None:
        """The command without flex's controls."""
        images = (image, image2, image3, image4, image5, image6, image7, image8)
        settings = _settings(model, aspect_ratio, resolution, images)
        await self._make(interaction, prompt, images, settings, count, private=private)

    @_described
    @app_commands.describe(steps=texts.STEPS, guidance=texts.GUIDANCE)
    async def imagine_with_flex_controls(
        self,
        interaction: discord.Interaction[Any],
        prompt: _Prompt,
        image: _Image = None,
        model: str = Model.PRO.value,
        aspect_ratio: str | None = None,
        resolution: str = Resolution.ONE_K.value,
        count: _Count = 1,
        private: bool = False,
        steps: _Steps | None = None,
        guidance: _Guidance | None = None,
        image2: _Image = None,
        image3: _Image = None,
        image4: _Image = None,
        image5: _Image = None,
        image6: _Image = None,
        image7: _Image = None,
        image8: _Image = None,
    ) -> None:
        """The command with flex's controls."""
        images = (image, image2, image3, image4, image5, image6, image7, image8)
        settings = _settings(model, aspect_ratio, resolution, images, steps, guidance)
        await self._make(interaction, prompt, images, settings, count, private=private)

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
        owner = request.account.user_id
        sources = [source_of(attachment, owner) for attachment in images if attachment is not None]
        await self._generations.accept(request, sources)


def _command(callback: Callable[..., Coroutine[Any, Any, None]], prices: PriceList) -> Command:
    """The command; its choices show prices, which no decorator knows."""
    with_choices = app_commands.choices(
        model=[app_commands.Choice(name=texts.model_choice(model, prices), value=model.value) for model in Model],
        aspect_ratio=[
            app_commands.Choice(name=texts.aspect_ratio_choice(ratio), value=ratio.value) for ratio in AspectRatio
        ],
        resolution=[
            app_commands.Choice(name=texts.resolution_choice(resolution), value=resolution.value)
            for resolution in Resolution
        ],
    )
    return with_choices(app_commands.Command(name="imagine", description=texts.IMAGINE, callback=callback))


def _settings(
    model: str,
    aspect_ratio: str | None,
    resolution: str,
    images: Sequence[discord.Attachment | None],
    steps: int | None = None,
    guidance: float | None = None,
) -> Settings:
    """Unless a shape is chosen, that of the first image, or square without one."""
    ratio = aspect_ratio or (AspectRatio.AUTO if any(images) else AspectRatio.SQUARE)
    return Settings(Model(model), AspectRatio(ratio), Resolution(resolution), steps, guidance)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    services = bot.services
    flex_controls = bot.command_options.flex_controls
    await bot.add_cog(
        Imagine(services.generations, services.acknowledger, services.prices, bot.tree, flex_controls=flex_controls)
    )
