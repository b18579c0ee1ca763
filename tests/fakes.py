"""The sandbox's fake Stripe for tests: one server for the session, emptied before each test."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import stripe

from activities.tls import trusted
from sandbox.stripe.server import running

TEST_KEY = "sk_test_sandbox"


@dataclass(frozen=True)
class FakeStripe:
    """A running fake: its base address for the SDK, and its control plane."""

    base: str

    def client(self, key: str = TEST_KEY, *, timeout: float = 20) -> stripe.StripeClient:
        """The official client, which repeats nothing by itself."""
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.base},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout),
        )

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Ask the control plane: `get("ledger")`."""
        answer = httpx.get(f"{self.base}/_fake/{path}", timeout=20, verify=trusted())
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:  # noqa: ANN401 - JSON
        """Tell the control plane: `post("script/pm_...", ["insufficient_funds", "ok"])`."""
        answer = httpx.post(f"{self.base}/_fake/{path}", json=body, timeout=20, verify=trusted())
        assert answer.status_code == 200, answer.text
        return answer.json()

    def faults_are_over(self) -> None:
        """Nothing goes wrong any more."""
        httpx.delete(f"{self.base}/_fake/faults", timeout=20, verify=trusted()).raise_for_status()


@pytest.fixture(scope="session")
def _fake_stripe_server() -> Iterator[str]:
    with running() as base:
        yield base


@pytest.fixture
def fake_stripe(_fake_stripe_server: str) -> FakeStripe:
    """An empty fake Stripe on a free loopback port."""
    fake = FakeStripe(_fake_stripe_server)
    fake.post("reset")
    return fake
