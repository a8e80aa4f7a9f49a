"""The composition root: opens every resource, and puts services, workers and the Discord client together."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from bot import options
from bot.app import Application
from bot.assistant import Assistant
from bot.client import EaselClient
from bot.cluster.blocks import GatewayBlock, all_shards
from bot.cluster.identify import IdentifyTurns
from bot.cluster.leader import Leader, OnlyProcess
from bot.cluster.ports import Leases, LocalLeases
from bot.config import Config
from bot.domain.ids import IdMaker
from bot.domain.ports import Clock
from bot.folders import open_folders
from bot.generation.delivery import DeliveryWorker
from bot.generation.greetings import Greetings
from bot.generation.history import History
from bot.generation.image_history import ImageHistory
from bot.generation.image_reports import ImageReports
from bot.generation.notices import NoticeWorker
from bot.generation.operator_pause import OperatorPauses
from bot.generation.pending_card_table import PendingCardTable
from bot.generation.pending_cards import PendingCardJournal, PendingCards
from bot.generation.pipeline import Pipeline
from bot.generation.preferences import MemberPreferences
from bot.generation.previews import Previews
from bot.generation.prompt_files import PromptFiles
from bot.generation.reference_sets import ReferenceSets
from bot.generation.reference_table import ReferenceTable
from bot.generation.references import KeptReferences, ReferencePreparer
from bot.generation.results import Results
from bot.generation.rewordings import PaidRewordings
from bot.generation.service import GenerationService
from bot.generation.status import StatusBoard
from bot.generation.styles import Styles
from bot.generation.submitter import Submitter
from bot.generation.tracker import Tracker
from bot.generation.undelivered import Undelivered
from bot.generation.workload import Workload
from bot.kie.client import KieClient
from bot.maintenance.backups import Backups
from bot.maintenance.erasure import Eraser
from bot.maintenance.export import Exporter
from bot.maintenance.retention import NightlyMaintenance
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.fetch import SourceFetcher
from bot.media.fitting import ImageThreads
from bot.media.reference_cache import ReferenceCache
from bot.media.spending_chart import ChartRenderer
from bot.media.spool import Spool
from bot.media.ssrf import download_session
from bot.monitors import DiskMonitor, GatewayMonitor
from bot.network import client_session
from bot.quota.balance_monitor import BalanceMonitor
from bot.quota.credit_requests import CreditRequests
from bot.quota.policy import QuotaPolicy
from bot.quota.servers import ServerList
from bot.quota.service import QuotaService
from bot.runtime import BackgroundTasks, Runtime, SystemClock, retry_until_available
from bot.store import postgres, sqlite
from bot.store.leases import PostgresLeases, Taken
from bot.store.migrate import migrate
from bot.store.notices import listener
from bot.store.pending_cards import PendingCardRows
from bot.store.store import AutocommitStore, Store
from bot.ui.access import Access
from bot.ui.acknowledger import Acknowledger
from bot.ui.alt_text import AltTexts
from bot.ui.command_mentions import CommandMentions
from bot.ui.errors import ErrorReporter
from bot.ui.message_sender import DiscordMessageSender
from bot.ui.posted_images import PostedImages
from bot.ui.questions import Questions
from bot.ui.services import OperatorServices, Privacy, Services
from bot.ui.style_options import StyleOptions

_BACKGROUND_GRACE = 6.0
"""Seconds that background tasks get to end at shutdown; container engines kill a process after ten in all."""
_CARD_SECONDS, _IMAGE_SECONDS = 3, 15
"""How long a statement about a pending card may take, or about a member's image of 10 MB."""


@asynccontextmanager
async def assemble(
    config: Config,
    *,
    clock: Clock | None = None,
    reads_messages: bool = False,
    leases: Leases | None = None,
) -> AsyncGenerator[Application, None]:
    """Open the store, the HTTP sessions and the threads, and build everything on them; closes them all at the end.

    ``reads_messages`` is for a simulated Discord, which does not report that it grants the message-content intent.
    ``leases`` are those that several processes share; without them this is the one process.
    """
    clock = clock or SystemClock()
    url, cluster = options.database_url(config), options.cluster_options(config)
    workers: dict[str, asyncio.Task[None]] = {}
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        shared = postgres.is_url(url)
        if shared:
            await retry_until_available(lambda: enter(postgres.shared_process_lock(url)))
        else:
            stack.enter_context(sqlite.process_lock(url))
        folders = stack.enter_context(open_folders(options.data_folder(config), shared=shared))
        await retry_until_available(lambda: asyncio.to_thread(migrate, url))
        ids = IdMaker(clock.now, start=secrets.randbits(22))
        runtime = Runtime(
            store=await enter(Store.open(url, migrated=True)),
            clock=clock,
            background=BackgroundTasks("background", grace=_BACKGROUND_GRACE),
            new_id=ids,
        )
        threads = stack.enter_context(ImageThreads())
        sandbox = await enter(DecodeSandbox())

        # Separate sessions: a host that hangs delays nothing else, and KIE's key goes to KIE alone.
        api = KieClient(
            await enter(client_session()),
            options.kie_options(config),
            upload_session=await enter(client_session()),
            create_session=await enter(client_session(reuse=False)),
        )
        downloads = options.fetcher(await enter(download_session()), config.kie.result_hosts, config)
        attachments = options.fetcher(await enter(download_session()), config.discord.cdn_hosts, config)
        sources = SourceFetcher(attachments, downloads)

        prices = options.prices(config)
        policy = QuotaPolicy(clock, prices, options.limits(config))
        pace = options.pace(config)
        kept_for = options.reference_cache_limits(config)
        pending_cards: PendingCards
        kept_references: KeptReferences
        leader: Leader | None = None
        if shared:
            table = await enter(PostgresLeases.open(url))
            leases = leases or table
            leader = Leader(table, runtime.store, options.account_lease(config), cluster.lease)
        block = GatewayBlock(leases, runtime.store, cluster, ids) if leases is not None else None
        if shared:
            cards = await enter(PendingCardRows.open(url, name="easel cards", seconds=_CARD_SECONDS))
            pending_cards = PendingCardTable(runtime, cards, partial(_own_lease, block, leader), cluster.lease / 4)
            images = await enter(AutocommitStore.open(url, name="easel images", seconds=_IMAGE_SECONDS))
            kept_references = ReferenceTable(images, kept_for, clock)
        else:
            pending_cards = stack.enter_context(PendingCardJournal(folders.journal))
            kept_references = ReferenceCache(folders.references, kept_for, clock, runtime.store.images_in_sets)
        workload = Workload(options.kie_limits(config), durations=pace.durations, leadership=leader or OnlyProcess())
        spool = Spool(folders.spool, downloads)
        results = Results(runtime, api=api, workload=workload, spool=spool, threads=threads)
        previews = Previews(
            runtime, results=results, sandbox=sandbox, folder=folders.temporary, keep=options.previews_kept(config)
        )
        undelivered = Undelivered(runtime, results, previews, options.undelivered_kept_for(config))
        delivery = DeliveryWorker(runtime, workload=workload, results=results, previews=previews)
        tracker = Tracker(
            runtime, api=api, workload=workload, delivery=delivery, pace=pace, options=options.tracker_options(config)
        )
        submitter = Submitter(
            runtime,
            api=api,
            workload=workload,
            tracker=tracker,
            delivery=delivery,
            options=options.submitter_options(config),
        )
        balance_monitor = BalanceMonitor(
            runtime,
            api=api,
            funds_breaker=workload.funds_breaker,
            work_changed=workload.changed,
            options=options.balance_monitor_options(config),
        )
        references = ReferencePreparer(
            runtime, fetcher=sources, sandbox=sandbox, cache=kept_references, api=api, folder=folders.temporary
        )
        generations = GenerationService(
            runtime,
            prices=prices,
            open_limit=config.quota.open_generations,
            references=references,
            policy=policy,
            workload=workload,
            delivery=delivery,
            pending_cards=pending_cards,
        )
        eraser = Eraser(runtime, generations=generations, undelivered=undelivered, references=kept_references)
        history = History(runtime)
        assistant = options.assistant_options(config)
        command_options, backed_up = options.command_options(config), options.backed_up_file(config)
        status = StatusBoard(
            runtime,
            workload=workload,
            submitter=submitter,
            balance_monitor=balance_monitor,
            workers=workers,
            options=options.status_options(config),
        )
        quotas, preferences = QuotaService(runtime, policy), MemberPreferences(runtime)
        room = options.reference_sets_size(config)
        styles, reference_sets = Styles(runtime), ReferenceSets(runtime, references, kept_references, room)
        services = Services(
            access=Access(options.access(config)),
            generations=generations,
            history=history,
            image_history=ImageHistory(runtime),
            image_reports=ImageReports(runtime),
            preferences=preferences,
            prompt_files=PromptFiles(attachments, folders.temporary),
            undelivered=undelivered,
            quotas=quotas,
            credit_requests=CreditRequests(runtime, policy),
            operator=OperatorServices(
                guild_id=command_options.operator_guild,
                status=status,
                servers=ServerList(runtime),
                pauses=OperatorPauses(runtime),
                backups=Backups(clock, backed_up, options.backup_options(config)) if backed_up is not None else None,
            ),
            errors=ErrorReporter(pending_cards),
            acknowledger=Acknowledger(pending_cards, clock),
            posted_images=PostedImages(
                runtime,
                results=results,
                fetcher=sources,
                threads=threads,
                folder=folders.temporary,
                client=lambda: client,
            ),
            questions=Questions(history, prices, clock),
            alt_texts=AltTexts(history),
            chart_renderer=ChartRenderer(folders.temporary),
            privacy=Privacy(
                eraser,
                Exporter(runtime, folders.temporary),
                options.kept_for(config),
                text_service=assistant is not None,
            ),
            styles=styles,
            reference_sets=reference_sets,
            style_options=StyleOptions(styles, reference_sets, quotas, preferences, prices),
            greetings=Greetings(runtime),
            command_mentions=CommandMentions(clock),
            assistant=Assistant(await enter(client_session()), assistant, clock) if assistant is not None else None,
            rewordings=PaidRewordings(runtime, policy, config.assistant.price),
            prices=prices,
        )
        client = EaselClient(
            runtime.store,
            services,
            command_options,
            options.alert_channel(config),
            all_shards(cluster.shards) if block is None else block.plan,
            IdentifyTurns(leases or LocalLeases()),
            reads_messages=reads_messages,
        )
        pipeline = Pipeline(workload, submitter, tracker, delivery, undelivered, results)
        yield Application(
            client=client,
            runtime=runtime,
            pipeline=pipeline,
            balance_monitor=balance_monitor,
            eraser=eraser,
            disk_monitor=DiskMonitor(runtime, options.watched_folders(config)),
            gateway_monitor=GatewayMonitor(runtime, lambda: client.gateway.live, lambda: client.shard_count or 1),
            pending_cards=pending_cards,
            sender=DiscordMessageSender(
                client, clock, prices=prices, alt_texts=services.alt_texts, leadership=workload.leadership
            ),
            alerts=client.alerts,
            block=block,
            leader=leader,
            maintenance=NightlyMaintenance(
                runtime, options.retention_options(config), None if shared else sqlite.database_file(url)
            ),
            works=cluster.works,
            notices=NoticeWorker(runtime, pipeline, listener(url)) if shared else None,
            workers=workers,
        )


def _own_lease(block: GatewayBlock | None, leader: Leader | None) -> Taken | None:
    """By which this process serves members, or leads."""
    leases = (holder.lease for holder in (block, leader) if holder is not None)
    return next(filter(None, leases), None)
