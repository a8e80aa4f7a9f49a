import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ui.custom_ids import TEMPLATE, Action, CustomId

LARGEST = (1 << 63) - 1


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("number", [0, 1, 35, 36, LARGEST])
def test_what_is_written_is_read(action: Action, number: int) -> None:
    written = str(CustomId(action, number))

    assert len(written) <= 100
    assert TEMPLATE.fullmatch(written)
    assert CustomId.parse(written) == CustomId(action, number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "easel",
        "easel:again",
        "easel:again:",
        "easel::1",
        "easel:again:1:2:3",
        "easel:again:1 ",
        "easel:again:1\n",
        " easel:again:1",
        "easel:AGAIN:1",
        "easel:again:A",
        "easel:again:-1",
        "easel:again:+1",
        "easel:again:1_0",
        "easel:again:٣",
        "easel:again:1y2p0ij32e8e8",
        "easel:again:zzzzzzzzzzzzz",
        "easel:again:00000000000001",
        "easel:nonsense:1",
        "other:again:1",
    ],
)
def test_what_is_not_ours_is_told_apart(text: str) -> None:
    assert CustomId.parse(text) is None


@given(st.text(max_size=100))
def test_no_text_is_too_odd(text: str) -> None:
    parsed = CustomId.parse(text)

    assert parsed is None or 0 <= parsed.number <= LARGEST
