import json
import time

import pytest
import stripe

from activities.gateway import ProviderMisconfigured
from activities.stripe_events import BadSignature, UnreadableEvent, construct_event

OLD, NEW = "whsec_old", "whsec_new"
BODY = json.dumps(
    {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}}
)


def signed(body: str, secret: str, *, age_seconds: int = 0) -> str:
    at = int(time.time()) - age_seconds
    return str(stripe.WebhookSignature.generate_signature_header(body, secret, at))


@pytest.mark.parametrize("used", [OLD, NEW])
def test_while_a_secret_is_replaced_both_are_good(used: str) -> None:
    event = construct_event(BODY.encode(), signed(BODY, used), [NEW, OLD])
    assert event["id"] == "evt_1"
    assert event["data"]["object"]["id"] == "pi_1"


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (BODY.encode(), signed(BODY, "whsec_of_somebody_else")),
        (BODY.encode(), signed(BODY, NEW, age_seconds=301)),
        (BODY.encode() + b" ", signed(BODY, NEW)),
        (BODY.encode(), "t=1,v0=abc"),
        (BODY.encode(), "rubbish"),
        (BODY.encode(), ""),
        (BODY.encode(), None),
        (b"\xff\xfe", signed(BODY, NEW)),
    ],
    ids=["other secret", "too old", "changed", "no v1", "rubbish", "empty", "missing", "no text"],
)
def test_what_stripe_did_not_sign_just_now_is_refused(body: bytes, header: str | None) -> None:
    with pytest.raises(BadSignature, match="STRIPE_WEBHOOK_SECRET"):
        construct_event(body, header, [NEW, OLD])


def test_the_tolerance_can_be_set() -> None:
    header = signed(BODY, NEW, age_seconds=301)
    assert construct_event(BODY.encode(), header, [NEW], tolerance_seconds=600)["id"] == "evt_1"


@pytest.mark.parametrize(
    "body", ["no json", "[]", '{"object": "v2.core.event", "id": "evt_2"}', '{"object": "event"}']
)
def test_a_signed_body_that_is_no_whole_event_is_refused(body: str) -> None:
    with pytest.raises(UnreadableEvent):
        construct_event(body.encode(), signed(body, NEW), [NEW])


def test_without_a_secret_nothing_is_believed() -> None:
    with pytest.raises(ProviderMisconfigured, match="Set STRIPE_WEBHOOK_SECRET"):
        construct_event(BODY.encode(), signed(BODY, ""), [])
    with pytest.raises(BadSignature):
        construct_event(BODY.encode(), signed(BODY, ""), [""])
