"""What is in a prompt is shown as it was written, and does nothing."""

from tests.stories.orders import order, orders
from tests.stories.stage import Stage

MARKDOWN = {
    "a **bold** _fox_": r"**a \*\*bold\*\* \_fox\_**",
    "# a heading": r"**\# a heading**",
    "two\n\nlines  and   gaps": "**two lines and gaps**",
    "||hidden|| `code` ~~gone~~": r"**\|\|hidden\|\| \`code\` \~\~gone\~\~**",
    "[here](https://example.com)": r"**\[here\]\(https\://example.com\)**",
    "> a quote": r"**\> a quote**",
    "back\\slash": r"**back\\slash**",
}
"""Prompts, and the headlines that show them."""


async def test_a_prompt_pings_nobody(stage: Stage) -> None:
    prompt = f"@everyone and @here and {stage.bob.mention} in a boat"
    card = await stage.delivered(prompt)

    assert stage.bob.mention not in card.text
    assert "@everyone" not in card.text.replace("\\@", "")
    assert order(stage.kie)["input"]["prompt"] == prompt
    edits = stage.sent("PATCH")
    assert len(edits) >= 2
    for edit in edits:
        assert edit.json is not None
        assert edit.json["allowed_mentions"] == {"parse": []}
    assert len(stage.sent("POST")) == len(stage.sent("POST", "/callback")) == 1


async def test_markdown_is_shown_as_it_was_typed(stage: Stage) -> None:
    asked = {prompt: await stage.imagine(prompt) for prompt in MARKDOWN}
    shown = {prompt: (await stage.outcome(result)).headline for prompt, result in asked.items()}

    assert shown == MARKDOWN
    assert {body["input"]["prompt"] for body in orders(stage.kie)} == set(MARKDOWN)


async def test_a_long_prompt_is_cut_on_the_card_alone(stage: Stage) -> None:
    prompt = " ".join(["heron"] * 800)
    card = await stage.delivered(prompt)

    assert card.headline.endswith("heron…**")
    assert len(card.headline) <= 300 + len("****")
    (picture,) = card.pictures
    assert picture.alt_text is not None
    assert 900 < len(picture.alt_text) <= 1024
    assert order(stage.kie)["input"]["prompt"] == prompt


async def test_a_file_name_does_nothing_either(stage: Stage) -> None:
    told = await stage.refusal(await stage.imagine("brighter", image=("**@everyone**.png", b"milk, bread")))

    assert told.text.startswith(r"\*\*\@everyone\*\*.png is not a picture")
