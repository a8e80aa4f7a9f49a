"""KIE: the key, what the balance is good for, and the hosts that images travel through."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import aiohttp

from bot import options
from bot.checks.lines import CheckLine, CheckOutcome, failed, ok, skipped
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
_NETWORK = "see this machine's network and firewall, and "


async def check_kie(session: aiohttp.ClientSession, config: Config) -> list[CheckLine]:
    """The key and the balance."""
    if problem := secret_problem("kie.api_key", config.kie.api_key):
        detail, _, fix = problem.rstrip(".").partition(": ")
        return [failed("KIE key", detail, fix), skipped("KIE credits", "not tried: there is no key")]
    try:
        balance = await KieClient(session, replace(options.kie_options(config), request_seconds=_SECONDS)).balance()
    except AccountRefused as error:
        if error.wrong_key:
            line = failed("KIE key", "KIE refused it", "copy it again from https://kie.ai/api-key into kie.api_key")
        else:
            fix = "see https://kie.ai/api-key, also for addresses that may use the key"
            line = failed("KIE key", f"KIE refused the account ({error.detail})", fix)
        return [line, skipped("KIE credits", "not tried: the key does not work")]
    except PollFailed as error:
        fix = "try again later; see this machine's network, and kie.base_url"
        line = failed("KIE key", f"KIE cannot be reached ({reason(error)}), so the key was not tried", fix)
        return [line, skipped("KIE credits", "not tried: KIE cannot be reached")]
    return [ok("KIE key", "KIE knows it"), _about(balance)]


def reason(error: PollFailed) -> str:
    """Why KIE cannot be reached, in words."""
    return describe(error.__cause__) if error.__cause__ else error.detail


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
    lines = [
        failed("upload host", f"{uploads} cannot be reached: {problem}", f"{_NETWORK}kie.upload_url")
        if problem
        else ok("upload host", f"{uploads} can be reached")
    ]
    # Others on this machine have a port that is not known here.
    entries = [entry for entry in config.kie.result_hosts if not is_loopback(entry)]
    tried = await asyncio.gather(*(_try_host(downloads, entry) for entry in entries))
    lines += [line for line in tried if line.outcome is not CheckOutcome.OK]
    if reached := [entry for entry, line in zip(entries, tried, strict=True) if line.outcome is CheckOutcome.OK]:
        lines.append(ok("result hosts", f"{', '.join(reached)} can be reached"))
    return lines


async def _try_host(session: aiohttp.ClientSession, entry: str) -> CheckLine:
    """An entry of ``kie.result_hosts``: a host, or a domain of which some host will do."""
    name = entry.removeprefix(".")
    scheme = "http" if is_loopback(name.partition(":")[0]) else "https"
    hosts = (name,) if name == entry else (_RESULTS_SUBDOMAIN + name, name)
    problems = await asyncio.gather(*(_problem(session, f"{scheme}://{host}/") for host in hosts))
    # Which hosts a domain has is not known for sure: that a name does not exist says nothing.
    telling = [problem for problem in problems if problem is None or _UNRESOLVED not in problem or name == entry]
    if None in telling:
        return ok("result hosts", f"{entry} can be reached")
    if telling:
        fix = f"{_NETWORK}kie.result_hosts"
        return failed("result hosts", f"{entry} cannot be reached: {telling[0]}", fix)
    return skipped("result hosts", f"{entry}: not tried, as no host of this domain is known")


async def _problem(session: aiohttp.ClientSession, address: str) -> str | None:
    """Why nothing answers there; None if something does."""
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with session.get(address, timeout=timeout, allow_redirects=False):
            return None
    except AddressNotPublic:
        return "its name resolves to an address that is not public"
    except NETWORK_ERRORS as error:
        return describe(error)
