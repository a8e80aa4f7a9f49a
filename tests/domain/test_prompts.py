"""Prompts as the image model gets them."""

import pytest

from bot.domain.prompts import Mentioned, readable_prompt, without_spoiler_marks

NAMES = {
    (Mentioned.MEMBER, 11): "Alice <3 <@1>",
    (Mentioned.ROLE, 12): "painters",
    (Mentioned.CHANNEL, 13): "studio",
    (Mentioned.ROLE, 14): "@everyone",
    (Mentioned.CHANNEL, 15): "5",
    (Mentioned.MEMBER, 16): "||a\nb|| \u202e" + "c\u0301" + "\u0301" * 99 + "\u2800",
    (Mentioned.CHANNEL, 17): "everyone",
}
FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"

PROMPTS = {
    "<@11> and <@!11>, <@99>": "Alice 3 @1 and Alice 3 @1, someone",
    "<@&12> or <@&99>": "painters or a role",
    "in <#13> or <#99>": "in studio or a channel",
    "<:fox:123456789012345678> <a:dance_2:9>": ":fox: :dance_2:",
    "<@&14> @<#17> @@here": "everyone everyone here",
    "<@16>": "a b \u0107\u0301\u0301\u0301",
    "<@1<#15>1> <@<#15>> <https://a.b/<#15>>": "@151 @5 https://a.b/5",
    "<:fox~1:123456789012345678>": ":fox:",
    "</imagine:12> </quota report:13>": "/imagine /quota report",
    "a clock at <t:1767323045:t>, <t:1767323045:D>": "a clock at 03:04 UTC, 2 January 2026",
    "<t:1767323045> <t:1767323045:R> <t:-1:d>": "2 January 2026 03:04 UTC 2 January 2026 03:04 UTC 31 December 1969",
    "<t:99999999999999>": "some time",
    "<id:customize> <id:linked-roles:12345> <id:other>": "Channels & Roles Linked Roles a page",
    "<sound:123456789012345678:123456789012345678> fox": "something fox",
    "@everyone and @here, me@here.com": "everyone and here, me@here.com",
    "like <https://example.com/a_b?c=1>": "like https://example.com/a_b?c=1",
    "a < b > c, I <3 u, <b>bold</b>, <lora:fox:1>": "a < b > c, I <3 u, <b>bold</b>, <lora:fox:1>",
    r"\<@11> \*loud\* C:\dir": r"Alice 3 @1 *loud* C:\dir",
    r'{"text": "say \"hi\"\n"}': r'{"text": "say \"hi\"\n"}',
    "```a fox```": "a fox",
    '```json\n{"a": 1}\n```': '{"a": 1}',
    "<@\u200b11> f\u200bo\u2060x\u202e\ufeff": "Alice 3 @1 fox",
    "<@\u200d11> a\u200db": "Alice 3 @1 ab",
    f"{FAMILY} {ENGLAND} x\U000e0067": f"{FAMILY} {ENGLAND} x",
    "\u0646\u06cc\u200c\u0634": "\u0646\u06cc\u200c\u0634",
    "\u200b\u200e\u3164 ": "",
    "a\0b\x1bc\ud800": "a b c",
    " one \t two \r\n  three\u2028": "one two\nthree",
}


@pytest.mark.parametrize("text", PROMPTS)
def test_a_prompt_reads_as_its_author_reads_it(text: str) -> None:
    prompt = readable_prompt(text, lambda kind, number: NAMES.get((kind, number)))

    assert prompt == PROMPTS[text]
    assert readable_prompt(prompt) == prompt


@pytest.mark.parametrize(
    ("prompt", "words", "hidden"),
    [
        ("||a fox||", "a fox", True),
        ("a ||red\n|| fox ||in snow||", "a red\n fox in snow", True),
        ("a || b", "a || b", False),
        (r"\|\|a fox\|\|", "||a fox||", False),
        ("a fox", "a fox", False),
    ],
)
def test_words_that_discord_hides_are_known(prompt: str, words: str, *, hidden: bool) -> None:
    assert without_spoiler_marks(readable_prompt(prompt)) == (words, hidden)
