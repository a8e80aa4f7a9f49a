"""KIE: the key, what the balance is good for, and the hosts that images travel through."""

from collections.abc import Iterable
from decimal import Decimal

import aiohttp

from bot import options
from bot.checks.lines import CheckLine, failed, ok, skipped
from bot.config import Config, secret_problem
from bot.domain.credits import KIE_PRICES
from bot.domain.image_api_errors import AccountRefused, PollFailed
from bot.kie.client import KieClient
from bot.login import describe
from bot.media.ssrf import AddressNotPublic
from bot.network import NETWORK_ERRORS, is_loopback
from bot.ui.texts.amounts import counted, in_credits

_SECONDS = 10.0
_RESULTS_SUBDOMAIN = "tempfile."
"""Where KIE's results are found below a domain, such as tempfile.aiquickdraw.com."""


_UNRESOLVED = "cannot be resolved"


async def check_kie(session: aiohttp.ClientSession, config: Config) -> list[CheckLine]:
    """The key and the balance."""
    if problem := secret_problem("kie.api_key", config.kie.api_key):
        detail, _, fix = problem.rstrip(".").partition(": ")
        return [failed("KIE key", detail, fix), skipped("KIE credits", "not tried: there is no key")]
    try:
        balance = await KieClient(session, options.kie_options(config)).balance()
    except AccountRefused as error:
        if error.wrong_key:
            line = failed("KIE key", "KIE refused it", "copy it again from https://kie.ai/api-key into kie.api_key")
        else:
            fix = "see https://kie.ai/api-key, also for addresses that may use the key"
            line = failed("KIE key", f"KIE refused the account ({error.detail})", fix)
        return [line, skipped("KIE credits", "not tried: the key does not work")]
    except PollFailed as error:
        fix = "try again later; see this machine's network, and kie.base_url"
        line = failed("KIE key", f"KIE cannot be reached ({error.detail}), so the key was not tried", fix)
        return [line, skipped("KIE credits", "not tried: KIE cannot be reached")]
    return [ok("KIE key", "KIE knows it"), _about(balance)]


def _about(balance: Decimal) -> CheckLine:
    """The balance in images, at the prices that KIE takes."""
    left = {
        f"{model.value.capitalize()} {resolution.value}": int(max(balance, Decimal()) // price)
        for (model, resolution), price in KIE_PRICES.items()
    }
    (cheapest, most), *others = left.items()
    if not most:
        detail = f"{in_credits(balance)}, which is not enough for one image"
        return failed("KIE credits", detail, "top up the account at https://kie.ai")
    rest = ", ".join(f"{count:,} with {name}" for name, count in others)
    return ok("KIE credits", f"{in_credits(balance)}: {counted(most, 'image')} with FLUX.2 {cheapest} ({rest})")


async def check_hosts(
    session: aiohttp.ClientSession, downloads: aiohttp.ClientSession, config: Config
) -> list[CheckLine]:
    """Whether references can be uploaded and results fetched. Any answer will do."""
    uploads = config.kie.upload_url
    problem = await _problem(session, uploads)
    fix = "see this machine's network and firewall, and "
    lines = [
        failed("upload host", f"{uploads} cannot be reached: {problem}", f"{fix}kie.upload_url")
        if problem
        else ok("upload host", f"{uploads} can be reached")
    ]
    reached: list[str] = []
    for entry in config.kie.result_hosts:
        if not entry.startswith(".") and is_loopback(entry):
            continue  # a port of this machine that is not known here
        problems = [await _problem(downloads, address) for address in _addresses(entry)]
        # Which hosts a domain has is not known for sure: that a name does not exist says nothing.
        found = [problem for problem in problems if problem is None or _UNRESOLVED not in problem]
        if None in found:
            reached.append(entry)
        elif found or not entry.startswith("."):
            problem = found[0] if found else problems[0]
            lines.append(failed("result hosts", f"{entry} cannot be reached: {problem}", f"{fix}kie.result_hosts"))
        else:
            lines.append(skipped("result hosts", f"{entry}: no host of this domain is known, so none was tried"))
    if reached:
        lines.append(ok("result hosts", f"{', '.join(reached)} can be reached"))
    return lines


def _addresses(entry: str) -> Iterable[str]:
    """Of hosts that an entry of ``kie.result_hosts`` allows."""
    name = entry.removeprefix(".")
    scheme = "http" if is_loopback(name.partition(":")[0]) else "https"
    return [f"{scheme}://{host}/" for host in ((_RESULTS_SUBDOMAIN + name, name) if name != entry else (name,))]


async def _problem(session: aiohttp.ClientSession, address: str) -> str | None:
    """Why nothing answers there; None if something does."""
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with session.get(address, timeout=timeout, allow_redirects=False):
            return None
    except AddressNotPublic:
        return "its name leads to an address that is not public"
    except NETWORK_ERRORS as error:
        return describe(error)
