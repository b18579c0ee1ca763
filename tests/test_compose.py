"""docker-compose.yml, Dockerfile and .env.example, held against each other and against the code they start."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.attributes import ALL_ATTRIBUTES
from sandbox.services import SEARCH_ATTRIBUTES
from settings import Settings, load_settings, variable
from worker import GRACE

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"migrate", "worker", "http"}
ONE_SHOT = {"temporal-schema", "temporal-namespace", "migrate"}

OTHERS = {"POSTGRES_PASSWORD", "POSTGRES_RELANCE_PASSWORD", "POSTGRES_TEMPORAL_PASSWORD"}
"""Variables of .env that Relance itself does not read."""
SECRET = re.compile(r"PASSWORD|PWD|SECRET|_KEY$|DATABASE_URL")
REFERENCE = re.compile(r"\$\{([A-Z_]+)(:[-?])?([^}]*)\}")


def environments() -> Iterator[tuple[str, str, str]]:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            assert isinstance(value, str), f"{name}: write {key} as text"
            yield name, key, value


def references() -> set[str]:
    return {
        match[1] for match in REFERENCE.finditer((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    }


def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def test_every_service_says_when_it_is_healthy_or_is_awaited_to_its_end() -> None:
    awaited = {
        name
        for service in SERVICES.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert awaited == ONE_SHOT
    for name, service in SERVICES.items():
        if name in ONE_SHOT:
            assert service["restart"] == "no"
        else:
            assert service["restart"] == "unless-stopped"
            assert service["healthcheck"]["test"][0] == "CMD", "no shell: it may not be in the image"


def test_what_is_awaited_as_healthy_has_a_health_check() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]


def test_worker_and_door_wait_for_tables_and_search_attributes() -> None:
    for name in ("worker", "http"):
        assert set(SERVICES[name]["depends_on"]) == {"migrate", "temporal-namespace"}


def test_no_secret_is_in_the_file_and_a_missing_one_stops_compose() -> None:
    for _, key, value in environments():
        if SECRET.search(key):
            found = list(REFERENCE.finditer(value))
            assert len(found) == 1
            assert found[0][2] == ":?", f"{key} must be asked for"
    left = REFERENCE.sub("", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert not re.search(r"sk_(test|live)_|whsec_|SG\.", left)


def test_the_example_holds_no_secret() -> None:
    assert {name for name, value in example().items() if value} == {"MAIL_FROM", "PUBLIC_URL"}


def test_named_volumes_are_declared_and_mounted_files_exist() -> None:
    named: set[str] = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists()
            else:
                named.add(source)
    assert named == set(COMPOSE["volumes"])


def test_the_logo_is_read_by_the_door_alone_from_the_folder_that_it_sees(tmp_path: Path) -> None:
    assert {name for name in OURS if "RELANCE_PORTAL_LOGO" in SERVICES[name]["environment"]} == {"http"}
    (volume,) = SERVICES["http"]["volumes"]
    assert volume == "./docker/portal:/portal:ro"
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert "named as /portal/logo.svg or /portal/logo.png" in text
    assert load_settings(tmp_path, environ={"RELANCE_PORTAL_LOGO": ""}).portal_logo is None


def test_doors_open_on_this_machine_only() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_versions_are_pinned() -> None:
    for name, service in SERVICES.items():
        if name not in OURS:
            assert re.search(r":\d+\.\d+(\.\d+)?(-trixie)?$", service["image"])
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"python:3.11.16-slim-trixie"}


def test_the_worker_can_be_scaled_and_finishes_its_charges() -> None:
    worker = SERVICES["worker"]
    assert "container_name" not in worker
    assert "ports" not in worker
    assert worker["stop_grace_period"] == "50s"
    assert GRACE.total_seconds() == 35


def test_every_variable_is_a_setting_or_known_to_be_none() -> None:
    known = {variable(name) for name in Settings.model_fields}
    for name in OURS:
        assert set(SERVICES[name]["environment"]) <= known
    assert references() <= known | OTHERS


def test_the_example_names_what_compose_reads_and_says_what_each_is() -> None:
    assert set(example()) == references()
    previous = ""
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            assert previous.startswith(("#", "POSTGRES_")), f"say what {line} is"
        previous = line


def test_filled_in_the_settings_are_accepted(tmp_path: Path) -> None:
    given = example() | {
        "POSTGRES_RELANCE_PASSWORD": "5f2c",
        "STRIPE_API_KEY": "sk_test_4eC39",
        "STRIPE_WEBHOOK_SECRET": "whsec_1",
        "SENDGRID_API_KEY": "SG.x",
        "SECRET_KEY": "0123456789abcdef0123456789abcdef",
        "MAIL_FROM": example()["MAIL_FROM"].strip('"'),
    }

    def filled(match: re.Match[str]) -> str:
        default = match[3] if match[2] == ":-" else ""
        return given[match[1]] or default

    environ = {key: REFERENCE.sub(filled, text) for key, text in SERVICES["worker"]["environment"].items()}
    settings = load_settings(tmp_path, environ=environ)
    settings.need("stripe_api_key", "sendgrid_api_key", "mail_from", "secret_key", to="run the worker")
    assert settings.database_url == "postgresql+psycopg://relance:5f2c@postgres:5432/relance"
    assert settings.payments_per_second == 12.0
    assert settings.webhook_secrets() == ("whsec_1",)


def test_search_attributes_are_those_of_the_workflows_and_of_the_sandbox() -> None:
    script = (ROOT / "docker/temporal-namespace.sh").read_text(encoding="utf-8")
    registered = dict(re.findall(r"--name (\w+) --type (\w+)", script))
    assert registered == SEARCH_ATTRIBUTES
    kinds = {"KEYWORD": "Keyword", "DATETIME": "Datetime", "INT": "Int"}
    assert registered == {key.name: kinds[key.indexed_value_type.name] for key in ALL_ATTRIBUTES}


def commands() -> list[list[str]]:
    run = [SERVICES[name]["command"] for name in sorted(OURS)]
    probes = [SERVICES[name]["healthcheck"]["test"][1:] for name in ("worker", "http")]
    default = re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert default
    return [*run, *probes, yaml.safe_load(default[1])]


@pytest.mark.parametrize("command", commands(), ids=shlex.join)
def test_what_the_containers_run_exists(command: list[str]) -> None:
    match command:
        case ["python", "-m", module]:
            assert importlib.util.find_spec(module)
        case ["python", "-c", code]:
            compile(code, "health check", "exec")
        case ["python", script]:
            assert (ROOT / script).is_file()
            assert f"COPY {script} ./" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
        case ["uvicorn", "--factory", target, *_]:
            module, _, factory = target.partition(":")
            assert callable(getattr(importlib.import_module(module), factory))
        case [script, *_]:
            assert [entry.value for entry in entry_points(group="console_scripts", name=script)] == [
                "starter.cli:main"
            ]


def test_every_package_reaches_the_image() -> None:
    kept = set((ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines())
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert {f"!{name}" for name in packages} <= kept
    assert "!.env" not in kept
    assert "*" in kept
