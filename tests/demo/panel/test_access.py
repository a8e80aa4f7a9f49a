"""Who may use the demo's page, and how it frames simcord's preview."""

from pathlib import Path

from yarl import URL

from tests.demo.panel.visitor import TOKEN_HEADER, open_visitor


async def test_only_the_own_page_may_act(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        fields = {"member": str(visitor.guild.alice.id), "text": "hello"}
        for headers, status, words in (
            ({TOKEN_HEADER: ""}, 401, "doesn't have the demo's token"),
            ({TOKEN_HEADER: "wrong-ü".encode().decode("latin-1")}, 401, "doesn't have the demo's token"),
            ({"Origin": "https://example.com"}, 403, "from its own page"),
            ({"Origin": "null"}, 403, "from its own page"),
            ({"Host": "example.com"}, 403, "isn't the demo's address"),
        ):
            answer = await visitor.post("messages", fields, headers=headers)
            assert answer.status == status
            assert words in answer.error
        assert visitor.last_message().id == visitor.guild.image.id


async def test_the_page_frames_nothing_foreign_and_the_preview_only_this_page(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        page = visitor.address.with_fragment(None)
        for url, policy, frames in (
            (page, "frame-ancestors 'none'", "DENY"),
            (page.with_path("/panel/main.js"), "default-src 'none'", "DENY"),
            (page.with_path("/panel/panel.css"), "default-src 'none'", "DENY"),
            (page.with_path("/preview"), "frame-ancestors 'self'", "SAMEORIGIN"),
            (URL(visitor.demo.preview.url), "frame-ancestors 'none'", "DENY"),
        ):
            async with visitor.session.get(url) as response:
                assert response.status == 200
                assert policy in response.headers["Content-Security-Policy"]
                assert response.headers["X-Frame-Options"] == frames
                text = await response.text()
            assert ("SimCord" in text) == (url.path == "/preview" or url.port != page.port)
            if url.path.startswith("/panel/"):
                assert "http" not in text.replace("http://www.w3.org", "")


async def test_the_preview_works_through_this_page_with_its_own_secret_only(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        preview = URL((await visitor.get("state")).content["preview"])
        origin = {"Origin": str(visitor.address.origin())}
        secret = {"X-Simcord-Capability": preview.fragment}
        expected = {200: origin | secret, 401: origin, 403: secret | {"Origin": "https://example.com"}}
        for status, headers in expected.items():
            url = visitor.address.with_path("/api/pages").with_fragment(None)
            async with visitor.session.post(url, json={}, headers=headers) as response:
                assert response.status == status


async def test_a_preview_that_has_ended_is_reported(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        await visitor.demo.preview.close()
        for path in ("/api/state", "/preview"):
            async with visitor.session.get(visitor.address.with_path(path)) as response:
                assert (response.status, await response.text()) == (502, "The preview has ended.")
