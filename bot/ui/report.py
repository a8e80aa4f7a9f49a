"""What /quota report answers: the picture, its numbers in words, and a file of the rows."""

import asyncio
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import discord
from discord import ui

from bot.domain.ids import UserId
from bot.media.charts.room import DrawingRoom
from bot.quota.report_csv import csv_of
from bot.quota.spending_report import SpendingReport
from bot.ui.cards import ALT_TEXT_MAX, BLURPLE, finished_view
from bot.ui.report_chart import chart_of
from bot.ui.texts import report as texts


@dataclass(frozen=True, slots=True)
class ReportMessage:
    """A view and the files that it shows; each goes with the other, once."""

    view: ui.LayoutView
    files: list[discord.File]


async def report_message(
    report: SpendingReport, names: Mapping[UserId, str], server: str, drawing_room: DrawingRoom
) -> ReportMessage:
    """Draw the report and put it into a message; when the drawing fails, the words and the file go alone.

    ``names`` are those that are known of the members in ``report.top``. Send it without allowed mentions.
    """
    first, last = report.days[0].day, report.days[-1].day
    picture = await drawing_room.draw(chart_of(report, names, server))
    table = await asyncio.to_thread(csv_of, report.rows, names)
    alt = texts.alt_text(server, report, first, last, ALT_TEXT_MAX)
    drawn = [] if picture is None else [_file(picture, texts.filename(first, last, "png"), alt)]
    csv_file = _file(table, texts.filename(first, last, "csv"))
    items: list[ui.Item[Any]] = [ui.TextDisplay(f"{texts.title(server, first, last)}\n{texts.totals(report)}")]
    for file in drawn:
        gallery = ui.MediaGallery[Any]()
        gallery.add_item(media=file, description=alt)
        items.append(gallery)
    lines = [*texts.ranking(report.top), texts.failures(report), None if drawn else texts.NO_PICTURE]
    if words := "\n".join(line for line in lines if line):
        items.append(ui.TextDisplay(words))
    items.append(ui.File(csv_file))
    return ReportMessage(finished_view(BLURPLE, *items), [*drawn, csv_file])


def _file(data: bytes, name: str, description: str | None = None) -> discord.File:
    return discord.File(io.BytesIO(data), filename=name, description=description)
