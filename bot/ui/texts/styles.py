"""The words of /style and /references, and of the options of /imagine that use them."""

from collections.abc import Sequence

from bot.domain import style_errors as errors
from bot.domain.credits import Credits
from bot.domain.errors import UserError
from bot.domain.prompts import WORDS
from bot.domain.settings import REFERENCES_MAX
from bot.domain.styles import NAME_MAX, SET_BYTES_MAX, TEMPLATE_MAX, ReferenceSet, Saved, Shared, Style
from bot.ui.texts.amounts import NOTHING_CHARGED, counted, in_credits, plain, shortened, size, some

STYLE = "Named additions to your prompts: the server's, your own and built-in ones"
STYLE_ADD = "Save a style: a template for prompts, with a model, a shape and images if you like"
STYLE_EDIT = "Change a style"
STYLE_LIST = "Show the styles that you can use here, and what each does"
STYLE_REMOVE = "Remove a style; images made with it stay as they are"
STYLE_NAME = "Which style"
REFERENCES = "Reference sets: images saved under a name, to work from again"
REFERENCES_ADD = f"Save up to {REFERENCES_MAX} images as a reference set, or add images to one"
REFERENCES_LIST = "Show the reference sets that you can use here"
REFERENCES_REMOVE = "Remove a reference set and its images"
SET_NAME = "Its name, such as “my cat”; if you already have that set, the images are added to it"
SET_IMAGE = "An image to save"
WHICH_SET = "Which reference set"
WHOSE = "For you, or for everybody in this server (only quota managers can choose that)"
WHOSE_CHOICES = {Shared.OWN: "me, in every server", Shared.SERVER: "everybody in this server"}
SAVE_REFERENCES = "Save as references"
"""The entry in the menu of a message, and the button in that of an image."""
IMAGINE_STYLE = "A style: the server's, your own or a built-in one"
IMAGINE_REFERENCES = "A reference set: images saved under a name, which come after those you attach"

ADD_TITLE = "New style"
ADD_SERVER_TITLE = "New style for this server"
EDIT_TITLE = "Change this style"
SAVE_TITLE = "Save as references"
NAME = "Name"
NAME_HINT = f"At most {NAME_MAX} characters."
TEMPLATE = "Template"
TEMPLATE_HINT = f"{WORDS} stands for the prompt. Without it, the prompt comes first."
TEMPLATE_PLACEHOLDER = f"{WORDS}, as a linocut in two colours, bold shapes, rough paper"
MODEL = "Model"
ANY_MODEL = "any (chosen in /imagine)"
SHAPE = "Shape"
ANY_SHAPE = "any (chosen in /imagine)"
SETS = "Images to work from"
NO_SET = "none"
SET_NAME_HINT = f"{SET_NAME}."
SAVE_FOR = "For"

PREVIOUS = "Previous"
NEXT = "Next"
NO_SETS = (
    "No reference sets yet. Save images with /references add, or with **Save as references**: in an image's ⋯ menu, "
    "or in a message's menu under **Apps**."
)
WORDS_HIDDEN = "Done. I left the names out, because Discord doesn't accept them here."
_TEMPLATE_SHOWN = 70
_WHOSE = {Shared.SERVER: "this server", Shared.OWN: "yours", Shared.BUILT_IN: "built-in"}
_CHOICE_MAX = 100
"""Discord's limit on a choice."""


def style_choice(style: Style, price: Credits) -> str:
    """A style in the list of an option: with what it sets, and what the image costs with it."""
    model = [style.model.value] if style.model else []
    shape = [style.aspect_ratio.value] if style.aspect_ratio else []
    return _choice(style, *model, *shape, in_credits(price) if price else "free")


def set_choice(saved: ReferenceSet) -> str:
    """A reference set in the list of an option."""
    return _choice(saved, counted(len(saved.images), "image"))


def named(saved: Saved) -> str:
    """What can be changed or removed, in the list of an option."""
    return _choice(saved)


def _choice(saved: Saved, *facts: str) -> str:
    return shortened(" · ".join([saved.name, _WHOSE[saved.owner.shared], *facts]), _CHOICE_MAX)


def list_title(page: int, *, sets: bool) -> str:
    """Of /style list and /references list."""
    return f"### {'Reference sets' if sets else 'Styles'}" + (f" · page {page + 1}" if page else "")


def style_entry(style: Style, references: ReferenceSet | None) -> str:
    """A style in /style list: whose it is, what it sets, and its template."""
    facts = [_WHOSE[style.owner.shared]]
    if style.model:
        facts.append(f"FLUX.2 {style.model.value.capitalize()}")
    if style.aspect_ratio:
        facts.append(style.aspect_ratio.value)
    if references:
        facts.append(f"images: {plain(references.name, NAME_MAX)}")
    # What only adds to the words is shown without them.
    template = style.template.removeprefix(f"{WORDS}\n").removeprefix("Style: ").replace(WORDS, "…")
    return f"**{plain(style.name, NAME_MAX)}** · {' · '.join(facts)}\n-# {plain(template, _TEMPLATE_SHOWN)}"


def style_saved(style: Style, price: Credits) -> str:
    """After /style add and edit."""
    who = "everybody in this server" if style.owner.shared is Shared.SERVER else "you, in every server"
    cost = f"An image at 1K then costs {in_credits(price)}." if price else "An image at 1K is then free."
    return f"**{plain(style.name, NAME_MAX)}** is saved for {who}: choose it as `style` in /imagine. {cost}"


def removed(saved: Saved) -> str:
    """After /style remove and /references remove."""
    return f"**{plain(saved.name, NAME_MAX)}** was removed."


def set_entry(saved: ReferenceSet) -> str:
    """A set in /references list."""
    amount = size(sum(image.size for image in saved.images)).replace(" ", "\N{NO-BREAK SPACE}")
    files = some([plain(image.filename, 30) for image in saved.images], 2)
    facts = [_WHOSE[saved.owner.shared], counted(len(saved.images), "image"), amount]
    return f"**{plain(saved.name, NAME_MAX)}** · {' · '.join(facts)}\n-# {files}"


def set_saved(saved: ReferenceSet, added: int, left_out: Sequence[str]) -> str:
    """After saving images under a name."""
    who = "everybody in this server" if saved.owner.shared is Shared.SERVER else "you, in every server"
    what = counted(len(saved.images), "image")
    again = "" if added else " They were already in it."
    unread = f" I left out {some([plain(name, 40) for name in left_out], 3)}, which I can't read." if left_out else ""
    name = plain(saved.name, NAME_MAX)
    return f"**{name}** has {what} now, for {who}: choose it as `references` in /imagine.{again}{unread}"


def refusal(error: UserError) -> str | None:
    """Why a style or a reference set cannot be used or saved; None for any other error."""
    return _of_request(error) or _of_style(error) or _of_set(error)


def _of_request(error: UserError) -> str | None:
    match error:
        case errors.NoSuchStyle(name=name):
            return f"There's no style {_quoted(name)}. Choose one from the list. {NOTHING_CHARGED}"
        case errors.NoSuchSet(name=name):
            return f"There's no reference set {_quoted(name)}. Choose one from the list. {NOTHING_CHARGED}"
        case errors.TooLongWithStyle(style=style, length=length, maximum=maximum):
            return (
                f"With the style {_quoted(style)} a prompt has at most {maximum:,} characters, but yours has "
                f"{length:,}. Shorten it. {NOTHING_CHARGED}"
            )
        case errors.TooManyWithSet(name=name, images=images, attached=attached):
            return (
                f"The set {_quoted(name)} has {counted(images, 'image')} and you attached {attached}, but I can work "
                f"from {REFERENCES_MAX} at most. Attach fewer. {NOTHING_CHARGED}"
            )
        case errors.SetImagesGone(name=name):
            return f"The images of {_quoted(name)} are lost. Remove it and save them again. {NOTHING_CHARGED}"
        case _:
            return None


def _of_style(error: UserError) -> str | None:
    match error:
        case errors.BuiltInStyle():
            return "Built-in styles can't be changed or removed. Save one of your own with /style add."
        case errors.BadTemplate(places=places) if places > 1:
            return f"A template has {WORDS} once, but yours has it {places} times; nothing was saved. Try again."
        case errors.BadTemplate(length=length) if length > TEMPLATE_MAX:
            return f"A template has at most {TEMPLATE_MAX:,} characters, but yours has {length:,}; nothing was saved."
        case errors.BadTemplate():
            return f"A template needs words beside {WORDS}; nothing was saved. Try again."
        case errors.NameMissing():
            return "A name needs at least one visible character; nothing was saved. Try again."
        case errors.NameTaken(name=name):
            return f"There's already a style {_quoted(name)}. Choose another name, or use /style edit."
        case errors.TooManyStyles(limit=limit):
            return f"There are already {limit} styles, which is the limit. Remove one first with /style remove."
        case _:
            return None


def _of_set(error: UserError) -> str | None:
    match error:
        case errors.TooManySets(limit=limit):
            return f"There are already {limit} reference sets, which is the limit. Remove one with /references remove."
        case errors.SetsTooLarge():
            return f"All sets together can take up {size(SET_BYTES_MAX)}. Remove one first with /references remove."
        case errors.NoRoomForSets():
            return "I have no room for more saved images; nothing was saved. Please let the bot's owner know."
        case errors.SetFull(name=name, images=images):
            return (
                f"A set has at most {REFERENCES_MAX} images, and {_quoted(name)} has {images} already; "
                "nothing was saved. Add fewer, or choose another name."
            )
        case _:
            return None


def _quoted(name: str) -> str:
    return f"“{plain(name, NAME_MAX)}”" if name else "like that"
