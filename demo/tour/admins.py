"""The part of the tour for those who manage a server, and for the operator."""

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


async def manage(visitor: Visitor) -> None:
    """The second page of /help, and every /quota."""
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


async def report(visitor: Visitor) -> None:
    """A member reports an image, and an admin decides."""
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


async def ask_for_more(visitor: Visitor) -> None:
    """A member without enough credits asks for more, and an admin approves."""
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


async def operate(visitor: Visitor) -> None:
    """/ops: how the bot is doing, and a pause."""
    await visitor.be("Ada (admin)")
    for name, options in (("status", {}), ("servers", {}), ("pause", {"reason": "New prices come at noon."})):
        await visitor.command(f"ops {name}", **options)
        await visitor.stop(f"ops-{name}")
    await visitor.command("imagine", prompt="a red fox in snow")
    await visitor.shows("paused")
    await visitor.stop("ops-paused")
    await visitor.command("ops resume")
    await visitor.stop("ops-resume")


async def join(visitor: Visitor, demo: Demo) -> None:
    """The bot joins the server. Last: to members simcord does not show the names of admins' commands in its message."""

    async def joined() -> None:
        (guild,) = demo.app.client.guilds
        demo.app.client.dispatch("guild_join", guild)
        await demo.env.settle()

    await visitor.be("Ada (admin)")
    await demo.simulation.run(joined)
    await visitor.shows("Hi, I'm")
    await visitor.stop("greeting")
