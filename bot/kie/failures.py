"""What KIE's error codes and messages say: one table, read from the top. The first pattern that is found decides."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from bot.domain.image_api_errors import Ambiguous, ImageApiError, TaskRefused, TryLater
from bot.domain.states import Failure

_CERTAIN_CODES: Mapping[str, Failure] = {
    "402": Failure.OUT_OF_CREDITS,
    "408": Failure.UNAVAILABLE,
    "429": Failure.UNAVAILABLE,
    "433": Failure.OUT_OF_CREDITS,
    "455": Failure.MAINTENANCE,
}
"""Codes that leave nothing for the message to say (docs.kie.ai)."""
_CODES: Mapping[str, Failure] = {
    "401": Failure.KEY_REFUSED,
    "403": Failure.KEY_REFUSED,
    "505": Failure.UNAVAILABLE,
}
"""Codes that count when the message is not recognised."""

_MESSAGE_LIMIT = 2000
"""Characters of a message that are looked at."""

_WORDS = r"(?:[:,]? [\w'/]+){0,4}"
"""Up to four words of the same sentence."""
_FETCHED = r"(?:fetch|download|load|retriev|access|open|read|decod|reach|resolv|identif|process)\w*"
# The image that was sent, not what makes or checks images, nor the one that was made.
_IMAGE = (
    r"(?<!output )(?<!generated )(?<!result )(?:image|pic\w*|photo|file|reference|attachment|url|link)s?"
    r"(?! (?:model|generat|edit|service|server|pipeline|safety|moderat|checker|filter))"
)
_FAILED = r"(?:fail\w*|unable|could not|couldn't|cannot|can't|error|not able)"
_CHECK = r"(?:check\w*|moderat\w+|safety|filters?|classifiers?|review|detect\w+)"
_SYSTEM = rf"(?:services?|servers?|systems?|apis?|models?|upstream|backend|engine|provider|network|connection|{_CHECK})"
_FIELD = (
    r"(?:model|input|prompt|aspect ?ratio|resolution|steps|guidance|seed|call ?back ?url|nsfw checker|"
    r"parameters?|params?|fields?|arguments?|options?|properties|values?)"
)
_CONTENT = r"(?:content|prompts?|words?|terms?|materials?|images?|requests?|text)"
_RULES = r"(?:polic(?:y|ies)|guidelines?|guardrails?|terms|rules?|standards?|practices|laws?)"
_STOPPED = r"(?:block|reject|filter|refus|declin|stop)\w*"
_WRONG = (
    r"(?:required|missing|invalid|must|should|unsupported|unknown|incorrect|exceed\w*|empty|out of range|over|below|"
    r"too (?:long|short|large|small|big|high|low|many|few)|does not exist|cannot be|can't be|"
    r"not (?:supported|allowed|valid|found|within|in|one|provided|set|given|exist))\b"
)
_FORBIDDEN = r"(?:prohibited|forbidden|disallowed|restricted|banned|illegal|not allowed|not permitted)"

_TABLE: tuple[tuple[Failure, tuple[str, ...]], ...] = (
    (
        Failure.OUT_OF_CREDITS,
        (
            r"(?:insufficient|not enough|out of|no|lacks?)(?: \w+)? (?:credits?|balance|funds)\b",
            r"\b(?:credits?|balance|funds)(?: \w+)? (?:insufficient|exhausted|not enough|too low|used up)",
            r"\b(?:credits?|balance|funds) isn't enough",
            r"\btop up\b|\bpayment required",
        ),
    ),
    # Before outages, since a reference that cannot be loaded may be called unavailable.
    (
        Failure.REFERENCE_UNREADABLE,
        (
            rf"\b{_FAILED}{_WORDS} {_FETCHED}{_WORDS} {_IMAGE}",
            rf"{_IMAGE}{_WORDS} {_FETCHED}(?: \w+)? (?:fail|error|timed? ?out)",
            rf"{_IMAGE}{_WORDS} (?:cannot|can't|could not|couldn't|not)(?: (?:be|publicly|directly))* {_FETCHED}",
            rf"{_IMAGE}{_WORDS} (?:inaccessible|unreachable|unreadable|corrupt\w*|damaged|truncated|not found)",
            rf"{_IMAGE}{_WORDS} (?:size|dimension|resolution|format|type|width|height|byte)s?{_WORDS} {_WRONG}",
            rf"{_IMAGE}{_WORDS} (?:exceed\w*|too (?:large|big|small)|(?:larger|bigger|smaller) than)",
            rf"\b{_FETCHED}{_WORDS} {_IMAGE}{_WORDS} fail|\b4\d\d\b{_WORDS} {_FETCHED}{_WORDS} {_IMAGE}",
            rf"{_IMAGE} (?:(?:is|are|was|has|have) )?(?:unavailable|expired|(?:too many|too few) pixels)",
            r"\b(?:fail\w* to decode|(?:fetch|download|decod)\w* (?:fail|error))",
            r"\bfile (?:size|type|format)\b|\bunsupported(?: \w+)? (?:format|type)",
            r"\b(?:input|image) urls?\b",
        ),
    ),
    (Failure.MAINTENANCE, (r"\bmaintenance\b",)),
    # Before verdicts, since a check that did not take place is none.
    (
        Failure.UNAVAILABLE,
        (
            rf"\b{_SYSTEM}{_WORDS} (?:unavailable|busy|overload\w*|down|offline|unreachable|crashed|outage)",
            rf"\b{_SYSTEM}{_WORDS} (?:not (?:available|respond\w*|reachable|ready)|no response)",
            rf"\b{_SYSTEM}{_WORDS} failed to (?:respond|load|start|run)",
            r"\b(?:upstream|network|connection)(?: \w+)? (?:reset|refused|aborted|closed)\b",
            r"\b(?:service|system|(?<!internal )server|api|checker|network|connection) (?:error|fail\w*)",
            r"\b(?:status|code|returned|http|upstream) 5\d\d\b|\bno route to host|\bdns\b|\bcloudflare|\bload balancer",
            rf"\b{_CHECK}{_WORDS}[:,]? (?:internal|server) error|\bupstream connect|\bout of memory",
            rf"\b{_FAILED} (?:to )?(?:run|perform|complete|reach|contact|connect|load|start)\w*{_WORDS} {_CHECK}",
            rf"\b{_CHECK}{_WORDS} (?:could not|couldn't|cannot)(?: be)? (?:complete|perform|run|reach|load|start)\w*",
            r"\b(?:temporarily|currently|service) (?:unavailable|disabled)",
            r"\b(?:model|server) is (?:re)?(?:loading|starting)",
            r"\b(?:bad gateway|gateway time|timed? ?out\b|rate limit|quota|overload|busy\b)",
            r"\btoo many (?:\w+ )?(?:requests|tasks|jobs)",
            r"\b(?:high|heavy) (?:demand|load|traffic)",
            r"\b(?:at|no|over|out of|insufficient)(?: \w+)? capacity",
            r"\bqueue (?:is )?full|\bno (?:available|free|healthy) |\b(?:reject|refus)\w*(?: \w+)? connection",
        ),
    ),
    (
        Failure.MODERATED,
        (
            r"\b(?:nsfw|not safe for work|nude|nudity|sexual|porn|erotic|gore|violence|self harm|suicid|minors?\b)",
            r"\b(?:explicit|graphic) (?:content|material|image)|\bdata ?inspection",
            r"\b(?:flagged|inappropriate|unsafe|offensive|objectionable|harm(?:ful)?\b|dangerous|disturbing|hate|filtered\b|safety\b)",
            r"(?<!case )\bsensitive",
            r"\bmoderat(?:ed|ion|or)",
            r"\b(?:responsible ai\b|adult content|infring|copyright|trademark|intellectual property|derivative works)",
            r"\b(?:public figure|celebrit|real (?:person|people)\b)",
            rf"\b(?:violat|breach|against|not comply)\w*{_WORDS}{_WORDS} {_RULES}",
            rf"\b{_RULES}{_WORDS} (?:violat|breach)",
            rf"\b(?:content|usage|community|acceptable use) {_RULES}",
            r"\bcontent (?:filter|safety|check|guard|restrict|violat)|\b(?:policy check|risk (?:control|not pass))",
            rf"\b{_FORBIDDEN} {_CONTENT}\b|\b{_CONTENT}{_WORDS} {_FORBIDDEN}",
            rf"\b{_STOPPED}{_WORDS} (?:by|due|because){_WORDS} (?:{_CHECK}|{_RULES})",
            rf"\b{_CHECK}{_WORDS} (?:{_STOPPED}|trigger)|\btrigger\w*{_WORDS} {_CHECK}",
            rf"\b(?:fail|not pass)\w*{_WORDS} (?:{_CHECK}|audit)",
            "敏感|违规|审核",
        ),
    ),
    (
        Failure.REFERENCE_UNREADABLE,
        (
            rf"\b(?:invalid|unsupported|malformed|bad|corrupt\w*|damaged|broken|empty)(?: \w+)? {_IMAGE}",
            rf"\bnot (?:\w+ to )?an? (?:valid |supported )?{_IMAGE}",
            rf"{_IMAGE}{_WORDS} invalid",
            r"\bunsupported (?:file|media|mime)",
        ),
    ),
    (
        Failure.KEY_REFUSED,
        (
            r"\b(?:api key\b|unauthori[sz]ed|authenticat|whitelist|(?:permission|access) denied|access permissions?)",
            rf"\b(?:account|key|ip){_WORDS} (?:blocked|suspended|disabled|banned|expired|revoked|frozen)",
        ),
    ),
    (
        Failure.REJECTED,
        (
            rf"\b{_FIELD}{_WORDS} {_WRONG}",
            rf"\b(?:required|missing|invalid|unsupported|unknown|incorrect|illegal|wrong){_WORDS} {_FIELD}\b",
            r"\bvalidation (?:error|fail)",
        ),
    ),
    (Failure.BROKEN, (r"\b(?:try|retry)(?: \w+)? later",)),
    # Words that KIE uses of content, and others of anything.
    (
        Failure.MODERATED,
        (
            r"\b(?:reject|prohibited|blocked|disallowed|banned|declined)",
            r"\b(?:could not|cannot|can't) be processed|\b(?:cannot|can't|unable to) (?:help|assist)",
        ),
    ),
)
_PATTERNS = tuple((failure, re.compile("|".join(patterns))) for failure, patterns in _TABLE)


def task_failure(code: str | None, message: str | None) -> Failure:
    """Why a task failed, from the ``failCode`` and ``failMsg`` of its record; BROKEN when neither is recognised."""
    code, text = (code or "").strip(), f"{code or ''} {message or ''}"
    if code in _CERTAIN_CODES:
        return _CERTAIN_CODES[code]
    # Addresses say nothing; underscores and hyphens separate words too, as in content_policy_violation.
    text = re.sub(r"https?://\S+", "url", text[:_MESSAGE_LIMIT].lower())
    text = " ".join(re.sub(r"[_\-\"`*]+", " ", text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")).split())
    for failure, pattern in _PATTERNS:
        if pattern.search(text):
            return failure
    return _CODES.get(code, Failure.BROKEN)


def create_error(code: int, message: str | None) -> ImageApiError:
    """The error for a createTask that was answered with this code and without a task id.

    Codes are from docs.kie.ai. KIE uses 500 for invalid parameters too; a 500 that names no reason in the request may
    come from behind the task's creation, so it is Ambiguous, like any undocumented code.
    """
    failure, detail, forbidden = task_failure(str(code), message), f"code {code}", code == HTTPStatus.FORBIDDEN
    match code:
        case 402 | 429 | 433 | 455:
            # Of the account or the moment, not of the task: later, the same call succeeds.
            return TryLater(failure, detail)
        case 401 | 403 | 400 | 404 | 422 | 500 if failure in {Failure.OUT_OF_CREDITS, Failure.KEY_REFUSED}:
            return TryLater(failure, detail, forbidden)
        case 401 | 403 if failure not in {Failure.MODERATED, Failure.REFERENCE_UNREADABLE}:
            return TryLater(Failure.KEY_REFUSED, detail, forbidden)
        case 400 | 404 | 422 if failure is Failure.BROKEN:
            return TaskRefused(Failure.REJECTED, detail)
        case 400 | 401 | 403 | 404 | 422 | 501 | 505:
            return TaskRefused(failure, detail)
        case 500 if failure in {Failure.MODERATED, Failure.REFERENCE_UNREADABLE, Failure.REJECTED}:
            return TaskRefused(failure, detail)
        case _:
            return Ambiguous(detail)
