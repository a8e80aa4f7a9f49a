"""The answer to /quota report: totals, a chart of the spending, ranking and outcomes in words, and a CSV file."""

import io
from dataclasses import dataclass
from typing import Any

import discord
from discord import ui

from bot.domain.credits import ZERO
from bot.domain.spending import PRICE_CLASSES, PriceClass
from bot.media.spending_chart import ChartRenderer, ChartSeries, SpendingChart
from bot.quota.spending_report import SpendingReport
from bot.ui.cards import ALT_TEXT_MAX, BLURPLE, finished_view
from bot.ui.discord_errors import leave_out_words
from bot.ui.texts import report as texts

_COLOURS = ("#5865f2", "#a5adfb", "#eb459e", "#f7a8d1", "#23a55a", "#8cd9ac", "#f0b232", "#f8dc9c")
"""One hue per model, the light shade for the larger size, in the order of PRICE_CLASSES."""
_OF_REWORDINGS = "#b5bac1"


@dataclass(frozen=True, slots=True)
class ReportMessage:
    """A view and the files that it refers to. Files can be sent only once."""

    view: ui.LayoutView
    files: list[discord.File]


async def report_message(
    report: SpendingReport, csv_bytes: bytes, server: str, renderer: ChartRenderer
) -> ReportMessage:
    """Render the chart and build the message; if rendering fails, the message has the words and the CSV only.

    Send the message without allowed mentions.
    """
    first, last = report.days[0].day, report.days[-1].day
    png = await renderer.render(spending_chart(report))
    csv_file = discord.File(io.BytesIO(csv_bytes), filename=texts.filename(first, last, "csv"))
    files = [csv_file]
    heading = (texts.title(server, first, last), texts.totals(report), texts.pool(report.pool))
    items: list[ui.Item[Any]] = [ui.TextDisplay("\n".join(heading))]
    if png is not None:
        alt_text = texts.alt_text(report, ALT_TEXT_MAX)
        png_name = texts.filename(first, last, "png")
        image = discord.File(io.BytesIO(png), filename=png_name, description=alt_text)
        gallery = ui.MediaGallery[Any]()
        gallery.add_item(media=image, description=alt_text)
        items.append(gallery)
        files.insert(0, image)
    if ranking := texts.ranking(report.ranking.top):
        items.append(ui.TextDisplay("\n".join(ranking)))  # apart, or what follows belongs to the last of its list
    details = [*texts.outcomes(report), texts.time_zone(report.zone)]
    if png is None:
        details.append(texts.NO_CHART)
    items += [ui.TextDisplay("\n".join(details)), ui.File(csv_file)]
    return ReportMessage(finished_view(BLURPLE, *items), files)


async def show_report(
    interaction: discord.Interaction[Any], report: SpendingReport, csv_bytes: bytes, renderer: ChartRenderer
) -> None:
    """Answer with the report; without the server's name if Discord refuses that."""

    async def show(*, words: bool) -> None:
        server = interaction.guild.name if words and interaction.guild else ""
        message = await report_message(report, csv_bytes, server, renderer)
        await interaction.edit_original_response(
            view=message.view, attachments=message.files, allowed_mentions=discord.AllowedMentions.none()
        )

    await leave_out_words(lambda words: show(words=words))


def spending_chart(report: SpendingReport) -> SpendingChart:
    """Stacked columns per day; for a report of a single day, one column per price class instead."""
    used = list(report.by_price_class)
    if len(report.days) == 1:
        (day,) = report.days
        labels = [
            f"{texts.price_class(column)}\n{texts.images(day.images.get(column, 0)) if column else ''}"
            for column in used
        ]
        heights = {row: [day.credits[row] if row == column else ZERO for column in used] for row in used}
    else:
        labels = texts.day_labels([day.day for day in report.days])
        heights = {row: [day.credits.get(row, ZERO) for day in report.days] for row in used}
    return SpendingChart(
        title=texts.chart_title(report),
        labels=tuple(labels),
        series=tuple(
            ChartSeries(texts.price_class(row), _colour(row), tuple(float(height) for height in heights[row]))
            for row in used
        ),
        legend=bool(used) and len(report.days) > 1,
        empty=texts.NOTHING_SPENT,
    )


def _colour(price_class: PriceClass | None) -> str:
    return _OF_REWORDINGS if price_class is None else _COLOURS[PRICE_CLASSES.index(price_class) % len(_COLOURS)]
