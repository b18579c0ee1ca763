"""The Python client for the HTTP API: the same words as the API, typed, and safe to repeat.

    async with RelanceHttp("rlk_test_...", base_url="http://127.0.0.1:8000") as relance:
        await relance.subscriptions.put("ref:acme", SubscriptionContent(customer="ref:acme", plan="ref:pro"))
        if (await relance.customers.entitlements("ref:acme")).entitled: ...

It needs neither database nor Temporal, unlike `starter.client.RelanceClient`.
"""

from starter.remote.client import RelanceHttp
from starter.remote.transport import ApiProblem

__all__ = ["ApiProblem", "RelanceHttp"]
