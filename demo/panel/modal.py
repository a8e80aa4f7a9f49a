"""A modal that the bot opened: the questions in it, and a visitor's answers to them."""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from pydantic import BaseModel, model_validator

from demo.panel.refused import Refused
from demo.panel.uploads import Answers, Upload, files_of, text_of


class Kind(IntEnum):
    """Discord's numbers for what the panel can show in a modal."""

    ROW = 1
    SELECT = 3
    TEXT = 4
    NOTE = 10
    LABEL = 18
    FILES = 19


class Option(BaseModel):
    """One choice of a select."""

    label: str
    value: str
    description: str | None = None
    default: bool = False


class Question(BaseModel):
    """A field of a modal, or a label or row around fields, as the bot sent it."""

    type: int
    custom_id: str = ""
    label: str | None = None
    description: str | None = None
    content: str | None = None
    style: int = 1
    placeholder: str | None = None
    value: str | None = None
    required: bool | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_values: int = 1
    max_values: int = 1
    options: list[Option] = []
    component: "Question | None" = None
    components: "list[Question]" = []

    @model_validator(mode="before")
    @classmethod
    def _as_if_left_out(cls, sent: Mapping[str, object]) -> dict[str, object]:
        """Null is Discord's other way of saying nothing."""
        return {name: value for name, value in sent.items() if value is not None}

    @property
    def name(self) -> str:
        """What a visitor knows it by."""
        return f"“{self.label}”" if self.label else "A field"


class Modal(BaseModel):
    """The form as a visitor sees it: its title, and its fields and notes from top to bottom."""

    title: str
    questions: list[Question]


def read_modal(sent: Mapping[str, object]) -> Modal:
    """Read what the bot sent."""
    form = _Sent.model_validate(sent)
    questions: list[Question] = []
    for one in form.components:
        if one.type == Kind.ROW:
            questions += one.components
        elif one.type == Kind.LABEL and one.component is not None:
            questions.append(one.component.model_copy(update={"label": one.label, "description": one.description}))
        else:
            questions.append(one)
    asked = [
        one.model_copy(update={"required": one.type != Kind.NOTE}) if one.required is None else one for one in questions
    ]
    return Modal(title=form.title, questions=asked)


def fill_in(modal: Modal, answers: Answers) -> dict[str, str | list[str] | list[Upload]]:
    """The values to submit, by custom id. Raises Refused with the first thing that Discord would not take."""
    values: dict[str, str | list[str] | list[Upload]] = {}
    for question in modal.questions:
        given = answers.getall(question.custom_id, [])
        match question.type:
            case Kind.TEXT:
                values[question.custom_id] = _text(question, text_of(answers, question.custom_id))
            case Kind.SELECT:
                values[question.custom_id] = _choices(question, given)
            case Kind.FILES:
                uploads = files_of(given, question.max_values)
                _check_count(question, len(uploads), "file")
                values[question.custom_id] = uploads
            case _:
                pass
    return values


class _Sent(BaseModel):
    title: str
    components: list[Question]


def _text(question: Question, text: str) -> str:
    if question.required and not text.strip():
        raise Refused(f"{question.name} needs an answer.")
    if text and question.min_length and len(text) < question.min_length:
        raise Refused(f"{question.name} needs at least {question.min_length} characters.")
    if question.max_length and len(text) > question.max_length:
        raise Refused(f"{question.name} holds at most {question.max_length} characters.")
    return text


def _choices(question: Question, given: Sequence[str | Upload]) -> list[str]:
    chosen = [one for one in given if isinstance(one, str) and one]
    if set(chosen) - {option.value for option in question.options}:
        raise Refused(f"{question.name} takes only what is on its list.")
    _check_count(question, len(chosen), "choice")
    return chosen


def _check_count(question: Question, count: int, noun: str) -> None:
    if question.required and not count:
        raise Refused(f"{question.name} needs at least one {noun}.")
    if count and not question.min_values <= count <= question.max_values:
        raise Refused(f"{question.name} takes {question.min_values} to {question.max_values}.")
