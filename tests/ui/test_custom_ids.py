import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import CreditRequestId, UserId
from bot.ui.buttons import ask_button, decision_buttons
from bot.ui.custom_ids import TEMPLATE, Action, CustomId

LARGEST = (1 << 63) - 1


@pytest.mark.parametrize("action", Action)
def test_what_is_written_is_read(action: Action) -> None:
    for numbers in [(0, 0), (1, 0), (35, 0), (36, 36), (LARGEST, 0), (LARGEST, LARGEST)]:
        custom_id = CustomId(action, *numbers)
        assert len(str(custom_id)) <= 100
        assert TEMPLATE.fullmatch(str(custom_id))
        assert CustomId.parse(str(custom_id)) == custom_id


@pytest.mark.parametrize(
    "text",
    [
        *("", "easel", "easel:again", "easel:again:", "easel::1", "easel:again:1:2:", "easel:again:1:2:3:4"),
        *("easel:again:1 ", "easel:again:1\n", " easel:again:1", "easel:again:-1", "easel:again:+1", "easel:again:1_0"),
        *("easel:AGAIN:1", "easel:again:A", "easel:again:٣", "easel:nonsense:1", "other:again:1"),
        *("easel:again:1y2p0ij32e8e8", "easel:again:zzzzzzzzzzzzz", "easel:again:00000000000001"),
    ],
)
def test_foreign_ids_are_recognised(text: str) -> None:
    assert CustomId.parse(text) is None


@given(st.text(max_size=100))
def test_no_text_is_too_odd(text: str) -> None:
    parsed = CustomId.parse(text)

    assert parsed is None or 0 <= parsed.number <= LARGEST


def test_buttons_carry_whom_and_what_they_are_for() -> None:
    buttons = [ask_button(UserId(LARGEST)), *decision_buttons(CreditRequestId(LARGEST))]

    assert [(button.label, CustomId.parse(button.custom_id or "")) for button in buttons] == [
        ("Ask for more", CustomId(Action.ASK, LARGEST)),
        ("Approve", CustomId(Action.APPROVE, LARGEST)),
        ("Decline", CustomId(Action.DENY, LARGEST)),
    ]
