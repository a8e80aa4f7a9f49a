"""/imagine: a prompt, optional images to work from, and how to make the image."""

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from types import MethodType
from typing import Any, Final, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.credits import PriceList
from bot.domain.generation import GenerationRequest, Reference, Source
from bot.domain.ids import UserId
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
from bot.ui import requests
from bot.ui.interactions import requester
from bot.ui.message_images import source_of
from bot.ui.prompts import typed_prompt
from bot.ui.services import Services
from bot.ui.texts import commands as texts
from bot.ui.texts.styles import IMAGINE_REFERENCES, IMAGINE_STYLE

Tree = app_commands.CommandTree[EaselClient]
Command = app_commands.Command[Any, ..., None]
_Prompt = app_commands.Range[str, PROMPT_MIN, PROMPT_MAX]
_Count = app_commands.Range[int, 1, COUNT_MAX]
_Steps = app_commands.Range[int, STEPS.start, STEPS.stop - 1]
_Guidance = app_commands.Range[float, GUIDANCE_MIN, GUIDANCE_MAX]
_Image = discord.Attachment | None

_FLEX_CONTROLS: Final = {"steps": texts.STEPS, "guidance": texts.GUIDANCE}
_DESCRIPTIONS: Final = {
    "prompt": texts.PROMPT,
    "image": texts.image(1),
    "style": IMAGINE_STYLE,
    "model": texts.MODEL,
    "aspect_ratio": texts.ASPECT_RATIO,
    "resolution": texts.RESOLUTION,
    "count": texts.COUNT,
    "private": texts.PRIVATE,
    "references": IMAGINE_REFERENCES,
    **_FLEX_CONTROLS,
    **{f"image{number}": texts.image(number) for number in range(2, REFERENCES_MAX + 1)},
}


@final
class Imagine(commands.Cog):
    """One command; the operator decides whether it offers flex's steps and guidance."""

    def __init__(self, services: Services, tree: Tree, *, flex_controls: bool) -> None:
        self._services = services
        self._tree = tree
        self._command = _command(MethodType(_callback(flex_controls=flex_controls), self), services.prices)
        self._command.autocomplete("style")(services.style_options.offer_styles)
        self._command.autocomplete("references")(services.style_options.offer_sets)

    async def cog_load(self) -> None:
        """Register the command, which discord.py finds in a cog only if a decorator made it."""
        self._tree.add_command(self._command)

    async def cog_unload(self) -> None:
        """Remove the command."""
        self._tree.remove_command(self._command.name)

    async def imagine(
        self,
        interaction: discord.Interaction[Any],
        prompt: _Prompt,
        image: _Image = None,
        style: str | None = None,
        model: str | None = None,
        aspect_ratio: str | None = None,
        resolution: str | None = None,
        count: _Count | None = None,
        private: bool | None = None,
        steps: _Steps | None = None,
        guidance: _Guidance | None = None,
        references: str | None = None,
        image2: _Image = None,
        image3: _Image = None,
        image4: _Image = None,
        image5: _Image = None,
        image6: _Image = None,
        image7: _Image = None,
        image8: _Image = None,
    ) -> None:
        """The command. What is not chosen is as the style says, else as the member prefers."""
        attachments = (image, image2, image3, image4, image5, image6, image7, image8)
        owner, services = UserId(interaction.user.id), self._services
        attached = [source_of(attachment, owner) for attachment in attachments if attachment is not None]
        preferences = await services.preferences.of(owner)
        styled = await services.style_options.style(interaction, style)
        saved = await services.style_options.reference_set(interaction, references, styled, len(attached))
        sources: list[Source | Reference] = [*attached, *(saved.references if saved else ())]
        preferred = preferences.settings(has_images=bool(sources))
        settings = Settings(
            Model(model) if model else (styled and styled.model) or preferred.model,
            AspectRatio(aspect_ratio) if aspect_ratio else (styled and styled.aspect_ratio) or preferred.aspect_ratio,
            Resolution(resolution) if resolution else preferred.resolution,
            steps,
            guidance,
        )
        images = count or preferences.images
        price = services.prices.of(settings) * images
        is_private = preferences.private if private is None else private
        destination = await requests.acknowledge(
            services, interaction, price, private=is_private, preferences=preferences
        )
        request = GenerationRequest(
            requester(interaction),
            typed_prompt(interaction, prompt),
            settings,
            images,
            (),
            destination,
            spoiler=saved is not None and any(image.spoiler for image in saved.images),
            style=styled.name if styled else None,
            template=styled.template if styled else None,
        )
        set_name = saved.name if saved else None
        await requests.accept(services, interaction, request, sources, reference_set=set_name)


def _callback(*, flex_controls: bool) -> Callable[..., Coroutine[Any, Any, None]]:
    """Imagine.imagine, whose signature tells discord.py which options to offer."""

    @wraps(Imagine.imagine)
    async def callback(*arguments: Any, **options: Any) -> None:
        await Imagine.imagine(*arguments, **options)

    signature = inspect.signature(Imagine.imagine)
    hidden = () if flex_controls else _FLEX_CONTROLS
    offered = [option for option in signature.parameters.values() if option.name not in hidden]
    vars(callback)["__signature__"] = signature.replace(parameters=offered)
    return callback


def _command(callback: Callable[..., Coroutine[Any, Any, None]], prices: PriceList) -> Command:
    """The command; its choices show prices, which no decorator knows."""
    command = app_commands.Command[Any, ..., None](name="imagine", description=texts.IMAGINE, callback=callback)
    app_commands.describe(**{option.name: _DESCRIPTIONS[option.name] for option in command.parameters})(command)
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
    return with_choices(command)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(Imagine(bot.services, bot.tree, flex_controls=bot.command_options.flex_controls))
