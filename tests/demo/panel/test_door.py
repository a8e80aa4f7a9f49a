"""Who may use the demo's page, and how it holds simcord's preview."""

from pathlib import Path

import pytest
from yarl import URL

from tests.demo.panel.visitor import TOKEN, open_visitor


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({TOKEN: ""}, 401, "lacks the demo's token"),
        ({TOKEN: "wrong-ü".encode().decode("latin-1")}, 401, "lacks the demo's token"),
        ({"Origin": "https://example.com"}, 403, "from its own page only"),
        ({"Origin": "null"}, 403, "from its own page only"),
        ({"Host": "example.com"}, 403, "is not the demo's"),
    ],
)
async def test_only_the_own_page_may_act(tmp_path: Path, changes: dict[str, str], status: int, words: str) -> None:
    async with open_visitor(tmp_path) as visitor:
        world = visitor.demo.world
        told = await visitor.post("say", {"member": str(world.alice.id), "text": "hello"}, changes=changes)
        assert told.status == status
        assert words in told.error
        assert [one.content for one in world.studio.history()][-1] == world.picture.content


async def test_the_page_and_its_files_are_served_and_frame_nothing_foreign(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        for path in ("/", "/panel/main.js", "/panel/panel.css"):
            async with visitor.session.get(visitor.address.with_path(path).with_fragment(None)) as response:
                assert response.status == 200
                policy = response.headers["Content-Security-Policy"]
                text = await response.text()
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "http" not in text.replace("http://www.w3.org", "")


async def test_the_preview_may_be_framed_by_this_page_alone(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        async with visitor.session.get(visitor.address.with_path("/preview")) as response:
            assert "frame-ancestors 'self'" in response.headers["Content-Security-Policy"]
            assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
            assert "SimCord" in await response.text()
        async with visitor.session.get(visitor.demo.preview.url) as response:
            assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
            assert response.headers["X-Frame-Options"] == "DENY"


async def test_the_preview_works_through_this_page_with_its_own_secret_only(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        preview = URL((await visitor.get("state")).content["preview"])
        pages = visitor.address.with_path("/api/pages").with_fragment(None)
        origin = {"Origin": str(visitor.address.origin())}
        secret = {"X-Simcord-Capability": preview.fragment}
        expected = {200: origin | secret, 401: origin, 403: secret | {"Origin": "https://example.com"}}
        for status, headers in expected.items():
            async with visitor.session.post(pages, json={}, headers=headers) as response:
                assert response.status == status


async def test_a_preview_that_has_ended_is_said(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        await visitor.demo.preview.close()
        async with visitor.session.get(visitor.address.with_path("/api/state")) as response:
            assert (response.status, await response.text()) == (502, "The preview has ended.")
        async with visitor.session.get(visitor.address.with_path("/preview")) as response:
            assert (response.status, await response.text()) == (502, "The preview has ended.")
