"""Members' words that are shown to others."""

import unicodedata

import pytest

from bot.domain.text import clean, isolate

ACCENTS = "\u0301\u0489\u0315\u0322" * 8
FAMILY = "👨\u200d👩\u200d👧"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
HEBREW = "שלום"


@pytest.mark.parametrize(
    "text",
    [
        *("", "Ann", "O'Brien — ½ × 3", "Müller", "Nguyễn Thị Ánh", "田中さん", "สวัสดีน้ำ", "क्\u200dष", "می\u200cروم"),
        *(HEBREW, "בְּרֵאשִׁית", "👍🏽", "❤\ufe0f", "1\ufe0f\u20e3", FAMILY, SCOTLAND, "🇩🇪"),
    ],
)
def test_every_script_is_shown_as_it_is(text: str) -> None:
    assert clean(unicodedata.normalize("NFD", text)) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        *((f"1{char}2", "12") for char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"),
        *((f"1{char}2", "12") for char in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e\ufff9\U000e0041\ud83d"),
        *((f"1{char}{char}2", "1 2") for char in "\n\r\t\v\f\x00\x1b\x7f\x85\xa0\u2028\u2029\u3000\u3164\uffa0\u2800"),
        ("\u0301a", "a"),
        ("a \u0301b", "a b"),
        (f"{SCOTLAND}{SCOTLAND[1:]}!", f"{SCOTLAND}!"),
        (f"{FAMILY}\u200d\u200d\u200d", FAMILY),
        ("\u2067\u3164\u200b", ""),
    ],
)
def test_what_reorders_or_hides_is_gone(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize("separator", ["", "\u200d", "\u200e", "\U000e0041", "\ufe0f"])
def test_accents_do_not_stack(separator: str) -> None:
    shown = clean("".join(letter + separator.join(ACCENTS) for letter in "zalgo"), direction_marks=True)
    longest = run = 0
    for char in shown:
        run = run + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        longest = max(longest, run)
    assert 0 < longest <= 3


def test_a_text_of_the_other_direction_is_isolated_and_keeps_its_own_marks() -> None:
    prompt = f"{HEBREW}\u200f! \u202ecat\u2069"
    assert isolate(clean(prompt, direction_marks=True)) == f"\u2068{HEBREW}\u200f! cat\u2069"
    assert isolate("a cat") == "a cat"
