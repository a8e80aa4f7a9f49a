"""``user`` and ``server``: export and erase what is stored, by Discord's ids."""

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path

from bot.config import Config
from bot.domain.erasure import ErasureKind
from bot.domain.errors import OperatorError, StoreUnavailable
from bot.domain.ids import UserId


def perform(options: argparse.Namespace, config: Config) -> int:
    """Carry out ``options.action`` for ``options.id``; the exit code. The bot may be running. Raises OperatorError."""
    from bot.options import database_url

    url = database_url(config)
    try:
        _check(url)
        if options.action == "export":
            return asyncio.run(_export(url, UserId(options.id), options.file))
        return asyncio.run(_erase(url, ErasureKind(options.command), options.id))
    except StoreUnavailable as error:
        raise OperatorError(f"the database cannot be used now ({error}): try again.") from error
    except OSError as error:
        raise OperatorError(f"{error.filename} cannot be written: {error.strerror}.") from error


def _check(url: str) -> None:
    from bot.store import postgres, sqlite
    from bot.store.engines import kind_of, snapshot
    from bot.store.migrate import require_newest

    if not postgres.is_url(url) and not sqlite.database_file(url).exists():
        raise OperatorError(f"{sqlite.database_file(url)} does not exist.")
    with snapshot(url) as connection:
        require_newest(connection, kind_of(url).describe(url))


async def _export(url: str, user: UserId, file: Path | None) -> int:
    from bot.maintenance.export import write_export
    from bot.store.store import Store

    file = file or Path(f"easel-user-{user}.zip")
    if file.exists():
        raise OperatorError(f"{file} already exists: choose another name, nothing is overwritten.")
    async with Store.open(url, migrated=True) as store:
        exported = await write_export(store, user, file)
    print(f"{file}: {exported.requests:,} requests, and the credits, of user {user}.")
    return 0


async def _erase(url: str, kind: ErasureKind, subject: int) -> int:
    from bot.store.store import Store

    async with Store.open(url, migrated=True) as store, store.write() as tx:
        await tx.erasures.request(kind, subject, datetime.now(UTC))
    print(
        f"The bot will erase the data of {kind} {subject}: within a minute if it is running, otherwise at its next "
        "start.\nWaiting requests are cancelled; images that are being made are finished first. Amounts stay, without "
        "prompts, and from next month on without the id."
    )
    return 0
