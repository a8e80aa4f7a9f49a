"""Before and after as one image."""

from pathlib import Path

import pytest
from PIL import Image

from bot.domain.delivery_errors import InvalidImage
from bot.media.comparison import write_comparison

LABELS = ("Before", "After")
RED, BLUE = (250, 10, 10), (10, 10, 250)


def written(folder: Path, before: tuple[int, int], after: tuple[int, int]) -> Image.Image:
    """A red and a blue image of these sizes, compared."""
    first, second = folder / "before.jpg", folder / "after.png"
    Image.new("RGB", before, RED).save(first, quality=95)
    Image.new("RGBA", after, (*BLUE, 255)).save(second)
    write_comparison(first, second, folder / "both", LABELS)
    with Image.open(folder / "both") as both:
        assert both.format == "JPEG"
        return both.convert("RGB")


def looks(image: Image.Image, x: int, y: int, like: tuple[int, int, int]) -> bool:
    pixel = image.crop((x, y, x + 1, y + 1)).tobytes()
    return all(abs(one - other) < 20 for one, other in zip(pixel, like, strict=True))


@pytest.mark.parametrize(("before", "after"), [((512, 512), (1024, 1024)), ((768, 512), (512, 768))])
def test_they_stand_side_by_side_in_one_height_below_their_labels(
    tmp_path: Path, before: tuple[int, int], after: tuple[int, int]
) -> None:
    both = written(tmp_path, before, after)
    bar, left = both.height - 1024, round(before[0] / before[1] * 1024)
    assert both.width == left + 16 + round(after[0] / after[1] * 1024)
    assert looks(both, left // 2, bar + 512, RED)
    assert looks(both, both.width - 50, bar + 512, BLUE)
    for start in (0, left):
        label = both.crop((start, 0, start + 300, bar)).convert("L").histogram()
        assert sum(label[200:]) > 100, "white words on a dark ground"


def test_wide_ones_stand_one_above_the_other(tmp_path: Path) -> None:
    both = written(tmp_path, (1600, 900), (800, 450))
    assert both.width == 1024
    assert looks(both, 512, both.height // 2 - 60, RED)
    assert looks(both, 512, both.height - 20, BLUE)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:50])
    with pytest.raises(InvalidImage):
        write_comparison(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "both", LABELS)
