"""Words and thumbnails on a picture: the prompt, the caption bar, the numbered references."""

import unicodedata
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

INK = (255, 255, 255)
BAR = (18, 20, 26)
SHADE = (12, 14, 22)
BADGE = (88, 101, 242)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def caption(picture: Image.Image, left: str, right: str) -> int:
    """Draw the bar along the bottom with a text at either end; gives its height."""
    unit = min(picture.size)
    height, margin = round(unit * 0.062), round(unit * 0.03)
    draw = ImageDraw.Draw(picture)
    top = picture.height - height
    draw.rectangle((0, top, picture.width, picture.height), fill=BAR)
    points = round(unit * 0.027)
    room = picture.width - 3 * margin
    while points > 6 and _font(points).getlength(left) + _font(points).getlength(right) > room:
        points -= 1
    middle = top + height / 2
    draw.text((margin, middle), left, INK, _font(points), anchor="lm")
    draw.text((picture.width - margin, middle), right, (190, 196, 208), _font(points), anchor="rm")
    return height


def reference_strip(picture: Image.Image, references: Sequence[Image.Image], bottom: int) -> int:
    """Draw the references as numbered tiles in their order above ``bottom``; gives the strip's height."""
    unit = min(picture.size)
    margin, gap, frame = round(unit * 0.03), round(unit * 0.018), max(round(unit * 0.004), 2)
    count = len(references)
    tile = min(round(unit * 0.2), (picture.width - 2 * margin - (count - 1) * gap) // count)
    top = bottom - margin - tile
    draw = ImageDraw.Draw(picture)
    for number, reference in enumerate(references, start=1):
        x = margin + (number - 1) * (tile + gap)
        rounded = _rounded((tile, tile), tile // 10)
        picture.paste(INK, (x, top), rounded)
        inner = tile - 2 * frame
        thumbnail = ImageOps.fit(reference, (inner, inner))
        picture.paste(thumbnail, (x + frame, top + frame), _rounded(thumbnail.size, tile // 10 - frame // 2))
        radius = tile * 0.15
        centre = (x + radius * 1.45, top + radius * 1.45)
        _badge(draw, centre, radius, str(number))
    return tile + margin


def prompt_panel(picture: Image.Image, prompt: str, bottom: int) -> None:
    """Write the prompt, wrapped, as large as it fits between the top and ``bottom``; too long a one is cut."""
    unit = min(picture.size)
    margin, padding = round(unit * 0.05), round(unit * 0.035)
    width = picture.width - 2 * margin - 2 * padding
    height = bottom - 2 * margin - 2 * padding
    text = legible(prompt, _font(16))
    for share in (0.056, 0.046, 0.038, 0.032, 0.027, 0.022):
        points = max(round(unit * share), 8)
        leading = round(points * 1.32)
        lines = wrap(text, _font(points), width)
        if len(lines) * leading <= height * (0.5 if share > 0.03 else 1):
            break
    else:
        fitting = max(height // leading, 1)
        if len(lines) > fitting:
            lines = [*lines[: fitting - 1], lines[fitting - 1] + " …"]
    font = _font(points)
    reach = round(max(font.getlength(line) for line in lines)) + 2 * padding
    panel = (reach, len(lines) * leading + 2 * padding - (leading - points))
    mask = _rounded(panel, padding).point(lambda value: value * 0.55)
    picture.paste(SHADE, (margin, margin), mask)
    draw = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        draw.text((margin + padding, margin + padding + row * leading), line, INK, font)


def legible(text: str, font: Font) -> str:
    """Spell a text with the glyphs the built-in font has: accents are dropped, the rest becomes ``?``."""
    missing = _shape("\uffff", font)
    plain = [c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)]
    unknown = {c for c in set(plain) if not c.isspace() and _shape(c, font) == missing}
    return "".join("?" if c in unknown else c for c in plain)


def wrap(text: str, font: Font, width: float) -> list[str]:
    """Break a text into lines of at most ``width`` pixels, inside a word only where the word alone is wider."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".lstrip()
            if font.getlength(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *full, line = _pieces(word, font, width)
            lines.extend(full)
        if line:
            lines.append(line)
    return lines or [""]


def _shape(character: str, font: Font) -> bytes:
    tile = Image.new("L", (32, 32))
    ImageDraw.Draw(tile).text((4, 4), character, 255, font)
    return tile.tobytes()


def _pieces(word: str, font: Font, width: float) -> list[str]:
    pieces = [""]
    for character in word:
        if pieces[-1] and font.getlength(pieces[-1] + character) > width:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _badge(draw: ImageDraw.ImageDraw, centre: tuple[float, float], radius: float, text: str) -> None:
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=BADGE, outline=INK, width=2)
    draw.text((x, y), text, INK, _font(max(round(radius * 1.2), 8)), anchor="mm")


def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    mask = Image.new("L", (size[0] * 2, size[1] * 2), 0)
    box = (0, 0, mask.width - 1, mask.height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, max(radius, 1) * 2, fill=255)
    return mask.reduce(2)


def _font(points: int) -> Font:
    return ImageFont.load_default(size=points)
