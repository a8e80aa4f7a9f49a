"""NUL characters in what members and KIE send: PostgreSQL refuses them, so that both databases leave them out."""

from dataclasses import replace

from bot.domain.generation import Draft, Image, Origin, Reference, Source
from bot.domain.ids import ChannelId, DraftId, ImageId, MessageId
from bot.domain.ports import Progress, TaskReport
from bot.domain.states import TaskState
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import bring, keep

DIGEST = "ab" * 32


async def test_names_prompts_addresses_and_reasons_are_stored_without_nul(store: Store) -> None:
    reference = Reference("https://kie/\0a", "\0ske\0tch.png\0", DIGEST)
    generation = make_generation(request=make_request(prompt="a light\0house", references=(reference,)))
    task = generation.tasks[0]
    await keep(store, generation)
    source = Source("https://cdn/\0", "\0.png")
    draft = Draft(DraftId(1), ALICE.user_id, NOW, Origin(ChannelId(5), MessageId(6)), (source,), "at\0 night")
    image = Image(ImageId(task.id), generation.id, None, ChannelId(5), MessageId(7), "im\0age.png", NOW)
    async with store.write() as tx:
        await tx.drafts.add(draft)
        await bring(tx, task, TaskState.RUNNING)
        result = TaskReport(Progress.SUCCEEDED, result_url="https://kie/\0one.png", seconds=1.0)
        assert await tx.tasks.ready(task.id, result, NOW)
        await tx.images.add([image])
        await tx.uploads.remember(DIGEST, "https://kie/\0", NOW)
        await tx.key_values.put("colour", "te\0al")
        await tx.ledger.grant(ALICE, generation.unit_price, BOB.user_id, "for \0the\0 party", NOW)
    async with store.read() as tx:
        found = await tx.generations.get(generation.id)
        assert found is not None
        assert (found.request.prompt, found.tasks[0].result_url) == ("a lighthouse", "https://kie/one.png")
        assert found.request.references == (replace(reference, url="https://kie/a", filename="sketch.png"),)
        assert await tx.drafts.get(draft.id) == replace(draft, prompt="at night")
        assert await tx.images.in_message(MessageId(7)) == [replace(image, filename="image.png")]
        assert await tx.uploads.find(DIGEST, NOW, NOW) == "https://kie/"
        assert await tx.key_values.get("colour") == "teal"
        assert [entry.note for entry in await tx.ledger.recent(ALICE, 1)] == ["for the party"]
