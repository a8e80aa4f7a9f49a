"""What commands, buttons, modals and messages use; the client holds it."""

from dataclasses import dataclass

from bot.assistant import Assistant
from bot.domain.credits import Credits, PriceList
from bot.domain.erasure import KeptFor
from bot.domain.ids import GuildId
from bot.generation.greetings import Greetings
from bot.generation.history import History
from bot.generation.image_history import ImageHistory
from bot.generation.image_reports import ImageReports
from bot.generation.operator_pause import OperatorPauses
from bot.generation.preferences import MemberPreferences
from bot.generation.prompt_files import PromptFiles
from bot.generation.reference_sets import ReferenceSets
from bot.generation.rewordings import PaidRewordings
from bot.generation.service import GenerationService
from bot.generation.status import StatusBoard
from bot.generation.styles import Styles
from bot.generation.undelivered import Undelivered
from bot.maintenance.backups import Backups
from bot.maintenance.erasure import Eraser
from bot.maintenance.export import Exporter
from bot.media.spending_chart import ChartRenderer
from bot.quota.credit_requests import CreditRequests
from bot.quota.servers import ServerList
from bot.quota.service import QuotaService
from bot.ui.access import Access
from bot.ui.acknowledger import Acknowledger
from bot.ui.alt_text import AltTexts
from bot.ui.command_mentions import CommandMentions
from bot.ui.errors import ErrorReporter
from bot.ui.posted_images import PostedImages
from bot.ui.questions import Questions
from bot.ui.style_options import StyleOptions


@dataclass(frozen=True, slots=True)
class OperatorServices:
    """What /ops uses."""

    guild_id: GuildId | None
    """The operator's server, where these commands are."""
    status: StatusBoard
    servers: ServerList
    pauses: OperatorPauses
    backups: Backups | None
    """None with PostgreSQL, which has tools of its own."""


@dataclass(frozen=True, slots=True)
class Privacy:
    """What /privacy works with."""

    eraser: Eraser
    exporter: Exporter
    kept_for: KeptFor
    text_service: bool
    """Whether members can have their prompts reworded by one."""


@dataclass(frozen=True, slots=True)
class Services:
    """One instance of each for the whole process."""

    access: Access
    generations: GenerationService
    history: History
    image_history: ImageHistory
    image_reports: ImageReports
    preferences: MemberPreferences
    prompt_files: PromptFiles
    undelivered: Undelivered
    quotas: QuotaService
    credit_requests: CreditRequests
    operator: OperatorServices
    errors: ErrorReporter
    acknowledger: Acknowledger
    posted_images: PostedImages
    questions: Questions
    alt_texts: AltTexts
    chart_renderer: ChartRenderer
    privacy: Privacy
    styles: Styles
    reference_sets: ReferenceSets
    style_options: StyleOptions
    greetings: Greetings
    command_mentions: CommandMentions
    assistant: Assistant | None
    """None unless the operator has configured a prompt helper."""
    rewordings: PaidRewordings
    prices: PriceList

    @property
    def improve_price(self) -> Credits | None:
        """What it costs to have a prompt reworded; None without a prompt helper."""
        return None if self.assistant is None else self.rewordings.price
