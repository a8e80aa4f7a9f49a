"""Actions on the channel's own page, which go through the proxy while the demo publishes by itself."""

from pathlib import Path
from typing import Any

from yarl import URL

from tests.demo.panel.visitor import Visitor, open_visitor
from tests.waiting import until


async def call(visitor: Visitor, path: str, context: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the preview answers through the proxy; GET without a body."""
    headers = {"X-Simcord-Capability": URL(visitor.demo.preview.url).fragment}
    if context:
        headers["X-Simcord-Context"] = context
    url = visitor.address.origin().join(URL(path))
    method = "GET" if body is None else "POST"
    async with visitor.session.request(method, url, json=body, headers=headers) as response:
        assert response.status == 200
        return await response.json()


def run_imagine(state: dict[str, Any], entry: dict[str, Any], sequence: int, prompt: str, count: str) -> dict[str, Any]:
    """An action as the page sends it, prepared on an old snapshot."""
    options = {"prompt": prompt, "model": "flex", "resolution": "2K", "count": count}
    return {
        "protocol_version": 3,
        "kind": "run_command",
        "sequence": sequence,
        "request_id": f"request-{sequence}",
        "generation": state["context"]["generation"],
        "bot_generation": state["botGeneration"],
        "published_revision": 1,
        "command_id": entry["commandId"],
        "path": entry["path"],
        "schema_fingerprint": entry["schemaFingerprint"],
        "options": options,
    }


async def test_a_refused_command_on_an_old_snapshot_is_an_answer(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        state = await call(visitor, "/api/pages", body={})
        page = state["context"]["id"]
        catalog = await call(visitor, "/api/commands", page)
        (entry,) = [entry for entry in catalog["entries"] if entry["path"] == ["imagine"]]
        for sequence in (1, 2):  # 96 of 100 credits, then too few are left
            body = run_imagine(state, entry, sequence, "four towers", "4")
            receipt = await call(visitor, "/api/action", page, body)
            assert (receipt["rejected"], receipt["settlement"], receipt["uncertain"]) == (False, "settled", False)
            assert receipt["diagnostics"] == []
        newest = visitor.guild.channel.history(viewer=visitor.guild.alice)[-1]
        assert newest.flags.ephemeral
        assert "Nothing was charged." in newest.content


async def test_the_clock_moves_while_nobody_acts(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        before = visitor.demo.env.now()
        await until(lambda: visitor.demo.env.now() > before, what="a later time")
