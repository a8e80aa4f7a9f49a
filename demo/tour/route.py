"""Where the tour goes: every command, button and form that a visitor finds."""

from demo.kie import Fail, Http429, Succeed
from demo.run import Demo
from demo.tour.visitor import Visitor

_QUOTA: tuple[tuple[str, dict[str, str]], ...] = (
    ("set-member", {"member": "bob", "period": "day", "credits": "80"}),
    ("set-default", {"period": "day", "credits": "120"}),
    ("set-role", {"role": "Admin", "period": "week", "credits": "500"}),
    ("clear", {"member": "bob"}),
    ("pool", {"period": "day", "credits": "400"}),
    ("grant", {"member": "bob", "credits": "10", "reason": "a poster"}),
    ("reset", {"member": "bob"}),
    ("show", {}),
    ("report", {}),
    ("log", {}),
    ("settings", {}),
)


async def walk(visitor: Visitor, demo: Demo) -> None:
    """Go everywhere. Raises Stuck at the first thing that is wrong."""
    await visitor.arrive()
    await visitor.stop("arrival")
    await _images(visitor)
    await _panel(visitor)  # while the image to reply to is among the newest messages
    await _menus(visitor, demo)
    await _edits(visitor)
    await _failures(visitor)
    await _cancel(visitor, demo)
    await _admin(visitor)
    await _reports(visitor)
    await _styles(visitor)
    await _own(visitor)
    await _privacy(visitor)
    await _ask_for_more(visitor)
    await _operator(visitor)
    await _greeting(visitor, demo)


async def _images(visitor: Visitor) -> None:
    await visitor.command("imagine", prompt="a red fox in snow")
    await visitor.stop("at-work")
    await visitor.finished("a red fox in snow")
    await visitor.stop("finished")
    await visitor.press("Again")
    await visitor.shows("2K · 7")
    await visitor.press("Edit")
    await visitor.fill("the prompt", "make it winter")
    await visitor.stop("edit-form")
    await visitor.submit()
    await visitor.shows("make it winter")
    await visitor.shows("2K · 7")
    await visitor.stop("edit")
    await visitor.press("2K · 7")
    await visitor.shows("redrawn in 2K")
    await visitor.shows("Again")
    await visitor.stop("2k")
    await visitor.command("imagine", prompt="a harbour at dusk", count="2", private="True")
    await visitor.finished("a harbour at dusk")
    await visitor.shows("Only you can see this")
    await visitor.stop("private")
    await visitor.command("balance")
    await visitor.shows("Recent activity")
    await visitor.stop("balance")
    await visitor.command("help")
    await visitor.shows("How to make an image")
    await visitor.stop("help")


async def _panel(visitor: Visitor) -> None:
    await visitor.choose("Look what I saw")
    await visitor.stop("panel")
    await visitor.say("make it snow")
    await visitor.finished("make it snow")
    await visitor.stop("mention")
    await visitor.choose("make it snow")
    await visitor.say("and a boat", sample="harbour", mention=False)
    await visitor.finished("and a boat")
    await visitor.stop("reply-with-image")
    await visitor.choose("and a boat")
    await visitor.say("what a storm", mention=False)
    await visitor.channel()
    await visitor.shows("Edit this image?")
    await visitor.stop("question")
    await visitor.press("No")
    await visitor.choose("and a boat")
    await visitor.say("make it stormy", mention=False)
    await visitor.channel()
    await visitor.shows("Edit this image?")
    await visitor.press("Edit · 5 credits")
    await visitor.finished("make it stormy")
    await visitor.stop("question-yes")
    await visitor.choose("make it snow")
    await visitor.app("Edit image", "make it summer")
    await visitor.finished("make it summer")
    await visitor.stop("apps")
    await visitor.choose("make it summer")
    await visitor.say("help")
    await visitor.channel()
    await visitor.shows("shows everything else")
    await visitor.stop("help-in-a-line")


async def _menus(visitor: Visitor, demo: Demo) -> None:
    demo.kie.script.next_tasks(*(Succeed(duration=seconds) for seconds in (3, 4, 8, 8)))
    await visitor.command("imagine", prompt="a harbour at dawn", count="4")
    await visitor.shows("2 of 4 done")
    await visitor.stop("grid-at-work")
    await visitor.finished("a harbour at dawn")
    await visitor.stop("grid")
    await visitor.press("3")
    await visitor.shows("Original file")
    await visitor.stop("grid-image")
    await visitor.press("Full prompt")
    await visitor.stop("full-prompt")
    await visitor.press("Original file")
    await visitor.shows("easel-")
    await visitor.stop("original-file")
    await visitor.press("Remix")
    await visitor.fill("the prompt", "a harbour at noon")
    await visitor.stop("remix-form")
    await visitor.submit()
    await visitor.finished("a harbour at noon")
    await visitor.stop("remixed")
    await visitor.command("imagine", prompt="a secret garden", private="True")
    await visitor.finished("a secret garden")
    await visitor.press("⋯")
    await visitor.shows("Share")
    await visitor.stop("private-menu")
    await visitor.press("Share")
    await visitor.shows("shared")
    await visitor.stop("shared")
    await visitor.press("⋯")
    await visitor.press("Delete")
    await visitor.shows("for everybody?")
    await visitor.stop("delete-question")
    await visitor.press("Delete")
    await visitor.shows("Deleted.")
    await visitor.stop("deleted")


async def _edits(visitor: Visitor) -> None:
    await visitor.be("bob")  # alice has spent her credits
    await visitor.command("imagine", prompt="a lighthouse at noon")
    await visitor.finished("a lighthouse at noon")
    for change in ("make it stormy", "add a sailing boat"):
        await visitor.press("Edit")
        await visitor.fill("the prompt", change)
        await visitor.submit()
        await visitor.finished(change)
    await visitor.press("⋯")
    await visitor.shows("Edits")
    await visitor.press("Edits")
    await visitor.shows("this image")
    await visitor.stop("edits")
    await visitor.press("Before and after")
    await visitor.shows("After")
    await visitor.stop("before-and-after")
    await visitor.press("2")
    await visitor.press("Edits")
    await visitor.shows("Made from this image")
    await visitor.stop("edits-of-a-step")


async def _failures(visitor: Visitor) -> None:
    for marker, shown in (("moderated", "safety filter"), ("broken", "[broken]"), ("nocredits", "[nocredits]")):
        await visitor.command("imagine", prompt=f"a crow [{marker}]")
        await visitor.shows(shown)
        await visitor.shows("Edit prompt")
        await visitor.stop(marker)
    await visitor.press("Edit prompt")
    await visitor.fill("the prompt", "a crow in the rain")
    await visitor.tick("Improve my prompt")
    await visitor.stop("edit-prompt-form")
    await visitor.submit()
    await visitor.shows("Choose your prompt")
    await visitor.stop("prompts")
    await visitor.press("2")
    await visitor.shows("Again")
    await visitor.stop("after-edit-prompt")
    await visitor.command("imagine", prompt="four towers", model="flex", resolution="2K", count="4")
    await visitor.shows("Only you can see this")
    await visitor.stop("too-expensive")
    await visitor.press("Delete")
    await visitor.stop("delete")


async def _cancel(visitor: Visitor, demo: Demo) -> None:
    await visitor.be("bob")
    demo.kie.script.next_tasks(Succeed(), Fail("500", "Internal Error, Please try again later."))
    await visitor.command("imagine", prompt="two owls ||at night||", count="2")
    await visitor.shows("Again")
    await visitor.stop("partly-and-spoilered")
    demo.kie.script.on("createTask", *[Http429()] * 50)
    await visitor.command("imagine", prompt="a boat in a storm")
    await visitor.press("Cancel")
    await visitor.shows("Cancelled")
    await visitor.stop("cancelled")
    demo.kie.script.clear()


async def _admin(visitor: Visitor) -> None:
    await visitor.be("Ada (admin)")
    await visitor.command("help")
    await visitor.press("For admins")
    await visitor.shows("Back")
    await visitor.stop("help-for-admins")
    for name, options in _QUOTA:
        await visitor.command(f"quota {name}", **options)
        await visitor.stop(f"quota-{name}")
        if name == "log":
            await visitor.press("Older")
            await visitor.stop("quota-log-older")


async def _reports(visitor: Visitor) -> None:
    await visitor.be("Ada (admin)")
    await visitor.command("quota settings", **{"reports-channel": "studio"})
    await visitor.shows("Reports of images: #studio")
    await visitor.command("imagine", prompt="a heron at dawn")
    await visitor.finished("a heron at dawn")
    await visitor.be("bob")
    await visitor.press("⋯")
    await visitor.shows("Report")
    await visitor.stop("report-menu")
    await visitor.press("Report")
    await visitor.fill("the reason", "This bird is not for breakfast.")
    await visitor.stop("report-form")
    await visitor.submit()
    await visitor.shows("Reported image")
    await visitor.stop("report-sent")
    await visitor.be("Ada (admin)")
    await visitor.shows("Dismiss")
    await visitor.stop("report")
    await visitor.press("Refund · 5 credits")
    await visitor.shows("bonus credits back")
    await visitor.press("Delete")
    await visitor.shows("Deleted")
    await visitor.stop("report-decided")


async def _styles(visitor: Visitor) -> None:
    await visitor.be("bob")
    await visitor.command("style list")
    await visitor.shows("Watercolour")
    await visitor.stop("styles")
    await visitor.command("style add")
    await visitor.fill("the template", "a linocut of {prompt}, two colours")
    await visitor.page.type("all('#modal-root input')[0]", "Linocut", "the name")
    await visitor.stop("style-form")
    await visitor.submit()
    await visitor.shows("is saved")
    await visitor.command("imagine", prompt="a red fox in snow", style="Linocut")
    await visitor.finished("Linocut")
    await visitor.stop("with-a-style")
    await visitor.command("references list")
    await visitor.shows("No reference sets yet")
    await visitor.stop("no-reference-sets")
    await visitor.press("⋯")
    await visitor.press("Save as references")
    await visitor.page.type("all('#modal-root input')[0]", "my fox", "the name")
    await visitor.stop("reference-form")
    await visitor.submit()
    await visitor.shows("my fox")
    await visitor.command("references list")
    await visitor.shows("Reference sets")
    await visitor.stop("reference-sets")


async def _own(visitor: Visitor) -> None:
    await visitor.be("bob")
    await visitor.press("⋯")
    await visitor.press("⭐ Favourite")
    await visitor.command("history")
    await visitor.shows("Your images")
    await visitor.stop("history")
    await visitor.press("Older")
    await visitor.stop("history-older")
    await visitor.command("history", search="fox")
    await visitor.shows("“fox”")
    await visitor.stop("history-search")
    await visitor.press("1")
    await visitor.shows("Original file")
    await visitor.stop("history-image")
    await visitor.command("favourites")
    await visitor.shows("Your favourites")
    await visitor.stop("favourites")
    await visitor.command("preferences")
    await visitor.shows("Your preferences")
    await visitor.press("Private: off")
    await visitor.shows("Private: on")
    await visitor.stop("preferences")
    await visitor.press("Private: on")
    await visitor.pick("Ask first", "Ask first: always")
    await visitor.command("imagine", prompt="a pond", count="2")
    await visitor.shows("Make this?")
    await visitor.stop("asked-first")
    await visitor.press("No")
    await visitor.pick("Ask first", "Ask first: default (never)")


async def _privacy(visitor: Visitor) -> None:
    await visitor.be("bob")
    await visitor.command("privacy")
    await visitor.shows("Download my data")
    await visitor.stop("privacy")
    await visitor.press("Download my data")
    await visitor.shows("as a ZIP file")
    await visitor.stop("privacy-download")
    await visitor.command("privacy")
    await visitor.press("Erase my data…")
    await visitor.shows("Erase everything?")
    await visitor.stop("privacy-erase")
    await visitor.press("Erase everything")
    await visitor.shows("Erasing your data")
    await visitor.stop("privacy-erasing")


async def _ask_for_more(visitor: Visitor) -> None:
    await visitor.be("Ada (admin)")
    await visitor.command("quota settings", **{"requests-channel": "studio"})
    await visitor.shows("Requests for more credits: #studio")
    await visitor.command("quota set-member", member="alice", period="day", credits="4")
    await visitor.be("alice")
    await visitor.command("imagine", prompt="a red fox in snow")
    await visitor.shows("Ask for more")
    await visitor.stop("ask-for-more")
    await visitor.press("Ask for more")
    await visitor.shows("Decline")
    await visitor.stop("asked-for-more")
    await visitor.be("Ada (admin)")
    await visitor.press("Approve")
    await visitor.stop("approve-form")
    await visitor.submit()
    await visitor.stop("approved")


async def _operator(visitor: Visitor) -> None:
    await visitor.be("Ada (admin)")
    for name, options in (("status", {}), ("servers", {}), ("pause", {"reason": "New prices come at noon."})):
        await visitor.command(f"ops {name}", **options)
        await visitor.stop(f"ops-{name}")
    await visitor.command("imagine", prompt="a red fox in snow")
    await visitor.shows("paused")
    await visitor.stop("ops-paused")
    await visitor.command("ops resume")
    await visitor.stop("ops-resume")


async def _greeting(visitor: Visitor, demo: Demo) -> None:
    async def join() -> None:
        (guild,) = demo.app.client.guilds
        demo.app.client.dispatch("guild_join", guild)
        await demo.env.settle()

    await visitor.be("Ada (admin)")  # to others simcord does not show the names of an admin's commands
    await demo.simulation.run(join)
    await visitor.shows("Hi, I'm")
    await visitor.stop("greeting")
