"""Brings the colours of a decoded image to 8 bits of sRGB, as a viewer would show them."""

from typing import Final, cast

import pyvips

from bot.media.headers import Coding

_PROFILE: Final = "icc-profile-data"
_PROFILE_SPACES: Final = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}
"""The colour space in a profile's header, and how many channels it describes (ICC.1, 7.2.6)."""
_PROFILE_MAX_BYTES: Final = 10_000_000
_SAME: Final = 2.0
"""A profile that changes no colour by more, of 255, is taken for sRGB."""
_MEASURED: Final = {pyvips.Interpretation.LAB, pyvips.Interpretation.LABS, pyvips.Interpretation.XYZ}
"""Colours with numbers of their own."""
_GREYS: Final = {1, 2}
_MAX_RAW_DEPTH: Final = 14
"""Cameras, scanners and microscopes put 10 to 14 bits into 16 without making them brighter."""
_MAX_LIGHT: Final = 16.0
"""Floats up to here are light beyond white; above, they are whole numbers in another form."""
_MISSING: Final = 1e30
"""Floats beyond it, like NaN, stand for missing values."""
_TO_SRGB: Final[dict[int, list[list[float]]]] = {
    9: [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    12: [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]],
}
"""From linear light with the primaries of BT.2020 and of Display P3; others are taken for sRGB's."""
_GAMMAS: Final = {4: 1 / 2.2, 5: 1 / 2.8, 8: 1.0}
"""Transfer functions of H.273 that are exponents; those of BT.709 are shown like sRGB."""
_PQ, _HLG = 16, 18
_NITS_OF_WHITE: Final = 203.0
"""Where BT.2408 puts white in HDR; KIE's images have none beyond it."""
_KNEE: Final = 0.75
"""Up to this light, HDR stays as it is; what is brighter is compressed below white."""


def to_srgb(image: pyvips.Image, coding: Coding | None = None) -> pyvips.Image:
    """8 bits of RGB or RGBA without a profile: the embedded one is applied, or ignored if it is broken or unsuited."""
    wide = image.format == pyvips.BandFormat.USHORT
    if image.interpretation == pyvips.Interpretation.CMYK and wide:
        image = (image >> 8).cast(pyvips.BandFormat.UCHAR).copy(interpretation=pyvips.Interpretation.CMYK)
    profile = image.get(_PROFILE) if image.get_typeof(_PROFILE) else b""
    profile = profile if isinstance(profile, bytes) and len(profile) <= _PROFILE_MAX_BYTES else b""
    channels = _PROFILE_SPACES.get(profile[16:20])
    if _colour_channels(image) == 1 and (channels == 3 or coding is not None):
        image = image.colourspace(pyvips.Interpretation.RGB16 if wide else pyvips.Interpretation.SRGB)
    if coding is not None and _colour_channels(image) == 3:
        image = _decode_coding(image, coding)
    elif channels == _colour_channels(image):
        image = _apply_profile(image, profile)
    if image.interpretation == pyvips.Interpretation.CMYK:
        image = _cmyk_without_profile(image)
    rgb = image.colourspace(pyvips.Interpretation.SRGB).cast(pyvips.BandFormat.UCHAR)
    return rgb.extract_band(0, n=4) if rgb.bands > 4 else rgb


def _colour_channels(image: pyvips.Image) -> int:
    return image.bands - (1 if image.hasalpha() else 0)


def with_usual_range(image: pyvips.Image) -> pyvips.Image:
    """8 or 16 bits of grey and RGB that had other numbers, or 16 bits of which only the lower ones are used.

    Floats go from 0 to 1, or like whole numbers from 0 to 255, 1023 and so on; with negative numbers among them, from
    the least to the greatest. An image of more than 8 bits is read into memory.
    """
    if image.format == pyvips.BandFormat.UCHAR or image.interpretation in {*_MEASURED, pyvips.Interpretation.CMYK}:
        return image
    image = image.copy_memory()
    finite = (image.abs() < _MISSING).ifthenelse(image, 0).copy_memory()
    colours = finite.extract_band(0, n=finite.bands - 1) if finite.hasalpha() else finite
    statistics = colours.stats()
    low, high = statistics(0, 0)[0], statistics(1, 0)[0]
    depth = max(8, int(high).bit_length())
    if image.format == pyvips.BandFormat.USHORT and (depth > _MAX_RAW_DEPTH or low == high):
        return image
    is_light = image.format in {pyvips.BandFormat.FLOAT, pyvips.BandFormat.DOUBLE} and high <= _MAX_LIGHT
    span = max(1.0, high) if is_light else float(2**depth - 1)
    if low < 0:
        span = (high - low) or 1.0
    scaled = ((finite - min(low, 0.0)) * (65_535 / span)).rint().cast(pyvips.BandFormat.USHORT)
    grey = scaled.bands in _GREYS
    return scaled.copy(interpretation=pyvips.Interpretation.GREY16 if grey else pyvips.Interpretation.RGB16)


def highest(image: pyvips.Image) -> float:
    """The greatest number in any channel."""
    number = image.max()
    return number[0] if isinstance(number, tuple) else number


def with_profile(image: pyvips.Image, profile: object) -> pyvips.Image:
    """A copy with this embedded profile, or with none if it is not bytes."""
    image = image.copy()
    if isinstance(profile, bytes):
        # pyvips takes bytes for a blob; its type hints do not say so.
        image.set_type(pyvips.GValue.blob_type, _PROFILE, cast("str", profile))
    return image


def _apply_profile(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    try:
        if image.interpretation == pyvips.Interpretation.SRGB and _is_srgb(profile):
            return image
        return _transform(image)
    except pyvips.Error:
        return image


def _transform(image: pyvips.Image) -> pyvips.Image:
    return image.icc_transform("srgb", embedded=True, intent=pyvips.Intent.PERCEPTUAL, depth=8)


def _is_srgb(profile: bytes) -> bool:
    """Most profiles are sRGB's under many names: applying them takes time and would blur the last bit."""
    levels = range(0, 256, 51)
    colours = bytes(level for red in levels for green in levels for blue in levels for level in (red, green, blue))
    probe = pyvips.Image.new_from_memory(colours, len(colours) // 3, 1, 3, pyvips.BandFormat.UCHAR)
    probe = probe.copy(interpretation=pyvips.Interpretation.SRGB)
    return highest((_transform(with_profile(probe, profile)) - probe).abs()) <= _SAME


def _cmyk_without_profile(image: pyvips.Image) -> pyvips.Image:
    """As browsers show it: each ink takes its colour away, and black takes all."""
    inks = image.extract_band(0, n=3)
    rgb = ((255 - inks) * (255 - image.extract_band(3)) / 255).rint().cast(pyvips.BandFormat.UCHAR)
    if image.bands > 4:
        rgb = rgb.bandjoin(image.extract_band(4))
    return rgb.copy(interpretation=pyvips.Interpretation.SRGB)


def _decode_coding(image: pyvips.Image, coding: Coding) -> pyvips.Image:
    wide = image.format == pyvips.BandFormat.USHORT
    light = _light(pyvips.Image.identity(ushort=wide) / (65_535 if wide else 255), coding)
    linear = image.extract_band(0, n=3).maplut(light.cast(pyvips.BandFormat.FLOAT))
    if matrix := _TO_SRGB.get(coding.primaries):
        linear = linear.recomb(pyvips.Image.new_from_array(matrix))
    rgb = linear.copy(interpretation=pyvips.Interpretation.SCRGB).colourspace(pyvips.Interpretation.SRGB)
    if image.hasalpha():
        alpha = image.extract_band(3)
        rgb = rgb.bandjoin((alpha >> 8).cast(pyvips.BandFormat.UCHAR) if wide else alpha)
    return rgb.copy(interpretation=pyvips.Interpretation.SRGB)


def _light(levels: pyvips.Image, coding: Coding) -> pyvips.Image:
    """The linear light, 1 being white, of levels from 0 to 1."""
    gamma = coding.gamma or _GAMMAS.get(coding.transfer)
    if coding.transfer == _PQ:
        return _compressed(_pq_light(levels))
    if coding.transfer == _HLG:
        return _compressed(_hlg_light(levels))
    if gamma is not None:
        return levels ** (1 / gamma)
    return (levels <= 0.04045).ifthenelse(levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def _pq_light(levels: pyvips.Image) -> pyvips.Image:
    """SMPTE ST 2084, 1 being white."""
    root = levels ** (1 / 78.84375)
    above = root - 0.8359375
    return ((above > 0).ifthenelse(above, 0) / (18.8515625 - root * 18.6875)) ** (1 / 0.1593017578125) * (
        10_000 / _NITS_OF_WHITE
    )


def _hlg_light(levels: pyvips.Image) -> pyvips.Image:
    """BT.2100's HLG on a screen of 1,000 nits, 1 being white."""
    upper = (((levels - 0.55991073) / 0.17883277).exp() + 0.28466892) / 12
    scene = (levels <= 0.5).ifthenelse(levels * levels / 3, upper)
    return scene**1.2 * (1_000 / _NITS_OF_WHITE)


def _compressed(light: pyvips.Image) -> pyvips.Image:
    over = (light - _KNEE) / (1 - _KNEE)
    return (light <= _KNEE).ifthenelse(light, _KNEE + (1 - _KNEE) * over / (over + 1))
