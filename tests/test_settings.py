"""Settings: what is read from where, and what a person is told when one is wrong."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from settings import Settings, SettingsProblem, connect_config, load_settings, sandbox_runs_in


def test_everything_has_a_default(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})

    assert settings.database_url == "sqlite+aiosqlite:///relance.db"
    assert settings.temporal_address == "127.0.0.1:7233"
    assert settings.temporal_namespace == "default"
    assert settings.stripe_api_base == "https://api.stripe.com"
    assert settings.sendgrid_api_base == "https://api.sendgrid.com"
    assert settings.stripe_api_key is None
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.task_queue == "relance"
    assert settings.payments_task_queue == "relance-payments"
    assert settings.payments_per_second == 12
    assert settings.workflow_cache == 300
    assert settings.http_port == 8000
    assert settings.boundary_window_minutes == 240
    assert settings.catch_up_limit == 2
    assert settings.gated_hours == 23
    assert settings.access_grace_hours == 24
    assert settings.webhook_log_days == 30
    assert settings.unpaid_cancel_days == 90
    assert settings.usage_wait_hours == 24
    assert settings.minimum_charge_minor["EUR"] == 50
    assert settings.minimum_charge_minor["GBP"] == 30
    assert settings.small_difference == Decimal("1.00")
    assert settings.interest_rates is None
    assert "XXX" not in settings.minimum_charge_minor
    assert settings.clock_peers == ()
    assert settings.sandbox is None
    assert settings.trusted_proxies == 0


def test_every_setting_is_read_from_its_variable(tmp_path: Path) -> None:
    settings = load_settings(
        tmp_path,
        environ={
            "DATABASE_URL": "postgresql://relance:secret@db/relance",
            "TEMPORAL_ADDRESS": "temporal:7233",
            "TEMPORAL_NAMESPACE": "billing",
            "TEMPORAL_API_KEY": "key",
            "STRIPE_API_KEY": "sk_test_1",
            "STRIPE_API_BASE": "http://127.0.0.1:12111/",
            "STRIPE_WEBHOOK_SECRET": "whsec_new, whsec_old",
            "SENDGRID_API_KEY": "SG.1",
            "SENDGRID_API_BASE": "http://127.0.0.1:8025",
            "MAIL_FROM": "Example Billing <billing@example.com>",
            "PUBLIC_URL": "https://billing.example.com/",
            "SECRET_KEY": "0123456789abcdef0123456789abcdef",
            "ENCRYPTION_KEYS": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,"
            "__________________________________________8=",
            "RELANCE_TASK_QUEUE": "q",
            "RELANCE_PAYMENTS_TASK_QUEUE": "pq",
            "RELANCE_PAYMENTS_PER_SECOND": "2.5",
            "RELANCE_WORKFLOW_CACHE": "10",
            "RELANCE_BUILD_ID": "2027.1",
            "RELANCE_HTTP_PORT": "9000",
            "RELANCE_BOUNDARY_WINDOW_MINUTES": "0",
            "RELANCE_CATCH_UP_LIMIT": "3",
            "RELANCE_GATED_HOURS": "12",
            "RELANCE_ACCESS_GRACE_HOURS": "48",
            "RELANCE_UNPAID_CANCEL_DAYS": "0",
            "RELANCE_USAGE_WAIT_HOURS": "48",
            "RELANCE_MINIMUM_CHARGE_MINOR": "eur=100, JPY=80",
            "RELANCE_SMALL_DIFFERENCE": "0.50",
            "RELANCE_INTEREST_RATES": "/etc/relance/rates.csv",
            "RELANCE_CLOCK_PEERS": "http://127.0.0.1:12111, http://127.0.0.1:9999/",
        },
    )

    assert settings.database_url == "postgresql+psycopg://relance:secret@db/relance"
    assert settings.reveal("stripe_api_key", to="charge") == "sk_test_1"
    assert settings.stripe_api_base == "http://127.0.0.1:12111"
    assert settings.webhook_secrets() == ("whsec_new", "whsec_old")
    assert settings.public_url == "https://billing.example.com"
    assert len(settings.encryption_keys) == 2
    assert settings.payments_per_second == 2.5
    assert settings.build_id == "2027.1"
    assert settings.unpaid_cancel_days == 0
    assert settings.usage_wait_hours == 48
    assert settings.minimum_charge_minor["EUR"] == 100
    assert settings.minimum_charge_minor["JPY"] == 80
    assert settings.minimum_charge_minor["USD"] == 50
    assert settings.small_difference == Decimal("0.50")
    assert settings.interest_rates == Path("/etc/relance/rates.csv")
    assert settings.clock_peers == ("http://127.0.0.1:12111", "http://127.0.0.1:9999")
    assert connect_config(settings, environ={}) == {
        "target_host": "temporal:7233",
        "namespace": "billing",
        "api_key": "key",
        "tls": True,
    }


def test_built_directly_they_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELANCE_HTTP_PORT", "1")
    settings = Settings(database_url="sqlite:///books.db", stripe_webhook_secret=(SecretStr("whsec_a"),))
    assert settings.http_port == 8000
    assert settings.database_url == "sqlite+aiosqlite:///books.db"
    assert settings.webhook_secrets() == ("whsec_a",)


def test_secrets_are_not_shown() -> None:
    settings = Settings(
        database_url="postgresql://relance:hunter2@db/relance",
        stripe_api_key=SecretStr("sk_test_hunter2"),
        encryption_keys=(SecretStr("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),),
    )
    assert "hunter2" not in repr(settings) + str(settings)
    assert "AAAA" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("DATABASE_URL", "mysql://db/x", "use postgresql://user:password@host/name or sqlite:///file.db"),
        ("DATABASE_URL", "relance.db", "use postgresql://user:password@host/name or sqlite:///file.db"),
        ("TEMPORAL_ADDRESS", "http://temporal:7233", "use host:port without http://"),
        ("STRIPE_API_BASE", "api.stripe.com", "use an address like"),
        ("PUBLIC_URL", "ftp://x", "use an address like"),
        ("MAIL_FROM", "Billing", "use billing@example.com or"),
        ("SECRET_KEY", "short", "at least 32 random characters"),
        ("ENCRYPTION_KEYS", "short", "base64 of 32 bytes"),
        ("RELANCE_HTTP_PORT", "eighty", "valid integer"),
        ("RELANCE_HTTP_PORT", "70000", "less than or equal to 65535"),
        ("RELANCE_WORKFLOW_CACHE", "0", "greater than or equal to 1"),
        ("RELANCE_GATED_HOURS", "24", "less than or equal to 23"),
        ("RELANCE_USAGE_WAIT_HOURS", "168", "less than or equal to 144"),
        ("RELANCE_PAYMENTS_PER_SECOND", "0", "greater than 0"),
        ("RELANCE_MINIMUM_CHARGE_MINOR", "50", "write it as EUR=50,USD=50"),
        ("RELANCE_MINIMUM_CHARGE_MINOR", "EURO=50", "EURO is no currency code"),
        ("RELANCE_MINIMUM_CHARGE_MINOR", "EUR=-1", "the minimum of EUR is negative"),
        ("RELANCE_CLOCK_PEERS", "127.0.0.1:12111", "use an address like"),
        ("RELANCE_CATCHUP_LIMIT", "2", "Did you mean RELANCE_CATCH_UP_LIMIT?"),
    ],
)
def test_a_wrong_variable_is_named_with_its_remedy(
    tmp_path: Path, name: str, value: str, remedy: str
) -> None:
    with pytest.raises(SettingsProblem) as wrong:
        load_settings(tmp_path, environ={name: value})
    assert wrong.value.field == name
    assert name in wrong.value.message
    assert remedy in wrong.value.message


def test_a_wrong_secret_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem) as wrong:
        load_settings(tmp_path, environ={"SECRET_KEY": "hunter2"})
    assert "hunter2" not in wrong.value.message


def test_a_live_key_goes_to_stripe_only(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem, match="STRIPE_API_KEY is a live key: unset STRIPE_API_BASE"):
        load_settings(
            tmp_path, environ={"STRIPE_API_KEY": "sk_live_1", "STRIPE_API_BASE": "http://127.0.0.1:12111"}
        )


def test_what_an_undertaking_needs_is_asked_for_at_once() -> None:
    settings = Settings(secret_key=SecretStr("0123456789abcdef0123456789abcdef"))
    settings.need("secret_key", to="sign links")
    with pytest.raises(SettingsProblem) as missing:
        settings.need("stripe_api_key", "sendgrid_api_key", "secret_key", to="run the worker")
    assert missing.value.field == "STRIPE_API_KEY"
    assert missing.value.message.startswith(
        "Set STRIPE_API_KEY and SENDGRID_API_KEY in the environment or in .env to run the worker. "
    )
    with pytest.raises(SettingsProblem, match="Set STRIPE_WEBHOOK_SECRET"):
        settings.webhook_secrets()


def test_the_environment_goes_before_the_file_and_empty_is_unset(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RELANCE_HTTP_PORT=9000\nRELANCE_GATED_HOURS=10\nSECRET_KEY=\n")
    settings = load_settings(tmp_path, environ={"RELANCE_HTTP_PORT": "9001", "MAIL_FROM": ""})
    assert settings.http_port == 9001
    assert settings.gated_hours == 10
    assert settings.secret_key is None
    assert settings.mail_from is None


def test_temporal_s_own_variables_and_file_are_read(tmp_path: Path) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text('[profile.default]\naddress = "from-file:7233"\nnamespace = "from-file"\n')
    environ = {"TEMPORAL_CONFIG_FILE": str(file), "TEMPORAL_NAMESPACE": "from-variable"}

    config = connect_config(load_settings(tmp_path, environ=environ), environ=environ)

    assert config["target_host"] == "from-file:7233"
    assert config["namespace"] == "from-variable"


def test_an_unreadable_temporal_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text("not toml")
    with pytest.raises(SettingsProblem, match="TEMPORAL_CONFIG_FILE"):
        connect_config(Settings(), environ={"TEMPORAL_CONFIG_FILE": str(file)})


@pytest.fixture
def running_sandbox(tmp_path: Path) -> Iterator[Path]:
    """A folder in which a sandbox runs, as far as others can tell."""
    own = tmp_path / ".sandbox"
    own.mkdir()
    (own / "env").write_text(
        f"DATABASE_URL=sqlite:////tmp/sandbox.db\nSTRIPE_API_KEY=sk_test_sandbox\n"
        f"TEMPORAL_ADDRESS=127.0.0.1:17233\nRELANCE_SANDBOX={own}\n"
    )
    descriptor = os.open(own / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield tmp_path
    os.close(descriptor)


def test_a_running_sandbox_is_found(running_sandbox: Path) -> None:
    outside = {"RELANCE_GATED_HOURS": "5", "TEMPORAL_API_KEY": "of another server"}
    settings = load_settings(running_sandbox, environ=outside)
    assert sandbox_runs_in(running_sandbox / ".sandbox")
    assert settings.database_url == "sqlite+aiosqlite:////tmp/sandbox.db"
    assert settings.sandbox == running_sandbox / ".sandbox"
    assert settings.gated_hours == 5
    assert settings.temporal_api_key is None
    assert connect_config(settings, environ={"TEMPORAL_API_KEY": "of another server"}) == {
        "target_host": "127.0.0.1:17233",
        "namespace": "default",
    }


@pytest.mark.parametrize(
    "own",
    [{"DATABASE_URL": "sqlite:///mine.db"}, {"STRIPE_API_KEY": "sk_test_mine"}, {"TEMPORAL_ADDRESS": "t:1"}],
)
def test_a_configuration_of_one_s_own_is_never_mixed_with_the_sandbox_s(
    running_sandbox: Path, own: dict[str, str]
) -> None:
    settings = load_settings(running_sandbox, environ=own)
    assert settings.sandbox is None
    assert settings.database_url != "sqlite+aiosqlite:////tmp/sandbox.db"


def test_a_sandbox_that_is_gone_is_not_found(running_sandbox: Path) -> None:
    (running_sandbox / ".sandbox" / "lock").unlink()
    (running_sandbox / ".sandbox" / "lock").touch()
    assert load_settings(running_sandbox, environ={}).sandbox is None


def test_a_process_of_the_sandbox_reads_no_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TEMPORAL_API_KEY=real\n")
    settings = load_settings(tmp_path, environ={"RELANCE_SANDBOX": str(tmp_path / ".sandbox")})
    assert settings.temporal_api_key is None
