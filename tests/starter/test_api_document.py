"""The API is what its document says: lived through once, then asked with whatever the document allows, and forbids."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from schemathesis.core.failures import FailureGroup, ServerError
from support.api import api_settings, opened
from support.api_asking import ask, ask_anything
from support.api_story import Told, live
from support.life import ClockedLife
from support.mailroom import KEY
from support.serving import serving

from settings import Settings
from starter.api import create_app
from starter.api_keys import Scope
from starter.resources.common import Body

ROOT = Path(__file__).parents[2]
NOT_IN_THE_STORY = {"POST /v1/payments/settle", "POST /v1/invoices/{invoice}/pay"}
"""They need a lost answer, and an invoice on which no charge is under way."""


@pytest.mark.timeout(400)
async def test_the_api_is_what_its_document_says(world: ClockedLife) -> None:
    configured = api_settings(world.settings, str(world.database.engine.url))
    async with opened(configured, world.client) as api:
        key = await api.key(Scope.ADMIN)
    cards = {
        "good": await world.new_card("good", ("ok",)),
        "spare": await world.new_card("spare", ("ok",)),
        "account": await world.new_account("account", ("ok",)),
        "late": await world.new_card("late", {"outcomes": ["ok"] * 3, "then": "insufficient_funds"}),
    }
    app = create_app(configured)
    with serving(app) as base:
        tell = Told(app.openapi(), base, key)
        ids = await asyncio.to_thread(live, tell, cards)
        worked = {label for label, statuses in tell.statuses.items() if statuses & {200, 201}}
        assert set(tell.operations) - worked == NOT_IN_THE_STORY
        await asyncio.to_thread(ask_anything, tell, ids)
    refused = {label for label, statuses in tell.statuses.items() if max(statuses) >= 400}
    assert set(tell.operations) - refused == {"GET /healthz", "GET /readyz"}


FOR_ADMINISTRATORS = {"get_webhook_secret"}
"""Who may look at these could pass for us."""


def test_what_changes_something_needs_more_than_a_key_for_reading() -> None:
    app = create_app(Settings(secret_key=KEY, stripe_webhook_secret=("whsec_1",)))
    for path, methods in app.openapi()["paths"].items():
        if not path.startswith("/v1/"):
            continue
        for method, operation in methods.items():
            ((scopes,),) = [tuple(needed.values()) for needed in operation["security"]]
            open_to_readers = method == "get" and operation["operationId"] not in FOR_ADMINISTRATORS
            assert ("read" in scopes) == open_to_readers, operation["operationId"]
            names = [parameter["name"] for parameter in operation.get("parameters", ())]
            assert ("Idempotency-Key" in names) == (method != "get"), operation["operationId"]


def test_every_example_of_a_body_is_one_and_its_names_read_well() -> None:
    app = create_app(Settings(secret_key=KEY, stripe_webhook_secret=("whsec_1",)))
    bodies = {cls.__name__: cls for cls in every_body(Body)}
    document = app.openapi()
    tags = {tag["name"] for tag in document["tags"]}
    shown = 0
    for methods in document["paths"].values():
        for operation in methods.values():
            assert set(operation.get("tags", ())) <= tags, operation["operationId"]
            sent = operation.get("requestBody", {"content": {}})["content"].get("application/json")
            if sent is None:
                continue
            name = sent["schema"]["$ref"].rpartition("/")[2]
            schema = document["components"]["schemas"][name]
            examples = schema.get("examples", ())
            described = [member for member in schema["properties"].values() if "examples" in member]
            assert examples or len(described) == len(schema["properties"]), f"{name} shows nothing"
            for example in examples:
                bodies[name].model_validate_json(json.dumps(example))
                shown += 1
    assert shown > 20
    assert [name for name in document["components"]["schemas"] if "_" in name] == []


def every_body(cls: type[Body]) -> Iterator[type[Body]]:
    for one in cls.__subclasses__():
        yield one
        yield from every_body(one)


def test_the_python_client_needs_neither_database_nor_temporal() -> None:
    heavy = {"fastapi", "sqlalchemy", "stripe", "temporalio"}
    program = f"import starter.remote, sys; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)  # noqa: S603 - our own words


async def test_a_planted_fault_is_found() -> None:
    app = FastAPI()

    @app.get("/v1/planted")
    def planted(limit: int = 0) -> int:
        return 1 // limit

    with serving(app) as base:
        tell = Told(app.openapi(), base, "none")
        with pytest.raises(FailureGroup) as found:
            await asyncio.to_thread(ask, tell, tell.operations["GET /v1/planted"].as_strategy())
    assert any(isinstance(failure, ServerError) for failure in found.value.exceptions)
