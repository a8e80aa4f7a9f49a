"""Styles that everybody has. Each changes medium, light, palette and composition, which FLUX.2 follows closely."""

from typing import Final

from bot.domain.ids import GuildId, StyleId, UserId
from bot.domain.prompts import WORDS
from bot.domain.settings import AspectRatio
from bot.domain.styles import Owner, Style


def _style(name: str, look: str, aspect_ratio: AspectRatio | None = None) -> Style:
    # The words come first: FLUX.2 gives most weight to what it reads first. A line of its own also suits words that ask
    # for a change of an image.
    return Style(Owner(UserId(0), GuildId(0)), name, StyleId(0), f"{WORDS}\nStyle: {look}", aspect_ratio=aspect_ratio)


BUILT_IN: Final = (
    _style(
        "Photograph",
        "An unposed photograph, taken on a full-frame camera with a 35 mm lens at f/2.8: natural window light from one "
        "side with soft shadows, true colours, real textures of skin, fabric and dust, slight depth of field, the "
        "subject off centre. No retouching, no illustration.",
    ),
    _style(
        "Film still",
        "A still from a feature film, shot on 35 mm anamorphic film: low-key light with one strong source and haze in "
        "the air, teal shadows against amber highlights, visible grain and gentle halation, a wide frame with the "
        "subject on a third and depth in front of and behind it.",
        AspectRatio.WIDE,
    ),
    _style(
        "Watercolour",
        "A loose watercolour on cold-pressed paper: wet-in-wet washes that bleed into each other, white of the paper "
        "left for the lights, a few crisp strokes for detail, granulating pigment and soft drying edges. A light "
        "palette of sap green, ochre, rose and ultramarine, fading into blank paper at the borders.",
    ),
    _style(
        "Line art",
        "A black ink drawing with a fine nib on plain white paper: clean continuous contour lines of varying weight, "
        "sparse parallel hatching for the darkest parts, no grey, no colour, no background beyond a few strokes, much "
        "empty space around the subject.",
    ),
    _style(
        "Pixel art",
        "Pixel art for a 16-bit game: a grid of large square pixels with hard edges, no anti-aliasing and no blur, a "
        "limited palette of 24 saturated colours, dithering for gradients, one-pixel dark outlines, flat light from "
        "above, seen from the side like a game scene.",
    ),
    _style(
        "3D render",
        "A polished 3D render of a small sculpted scene: rounded shapes of matte clay and soft-touch plastic, "
        "subsurface scattering, three soft lights with gentle ambient occlusion, pastel colours on a seamless "
        "single-colour backdrop, isometric view from slightly above, like a miniature on a table.",
    ),
    _style(
        "Poster",
        "A screen-printed travel poster from the 1930s: flat geometric shapes without outlines, four spot colours "
        "(deep navy, vermilion, mustard, cream) with visible paper texture and slight misregistration, a low "
        "viewpoint, long diagonal shadows, a bold central silhouette and a clear area of sky above. No lettering "
        "unless it is asked for.",
        AspectRatio.PHOTO_PORTRAIT,
    ),
    _style(
        "Anime",
        "A frame of a hand-drawn anime film: clean ink outlines with cel shading in two tones, large expressive eyes "
        "on any characters, a lush gouache background with towering summer clouds, clear late-afternoon light with "
        "rim light and lens glow, vivid blues and greens, a dynamic low camera angle.",
    ),
)
"""In the order in which they are offered."""
