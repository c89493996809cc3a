"""The Bicep files: complete in themselves, named as planned, and in step with the product's settings.

GitHub compiles them with the real compiler (`.github/workflows/ci.yml`).
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from esma_files.management.commands.run_worker import Command
from tests.conftest import ROOT
from tests.deploy.bicep import (
    DEPLOY,
    ENVIRONMENTS,
    MAIN,
    MODULES,
    decorators,
    module,
    names,
    parameters,
    parse,
    values,
    without_comments,
)
from tests.test_repository import VARIABLES

# App settings of App Service itself.
PLATFORM = {
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "ENABLE_ORYX_BUILD",
    "WEBSITES_PORT",
    "WEBSITES_CONTAINER_START_TIME_LIMIT",
    "WEBSITES_CONTAINER_STOP_TIME_LIMIT",
}
# Variables that deploy/start reads.
START = {"WEB_CONCURRENCY", "WORKER_PROCESSES"}
# From the migration plan.
PLANNED = {
    "production": {
        "sqlServer": "sqlsvr-marketdata-prod",
        "database": "marketdata-prod",
        "webApp": "marketdata-api-prod",
        "storage": "stmarketdataprod",
        "vault": "kv-marketdata-prod",
        "insights": "marketdata-api-insights",
    },
    "staging": {
        "sqlServer": "sql-marketdata-staging",
        "database": "marketdata-staging",
        "webApp": "marketdata-api-staging",
        "storage": "stmarketdatastaging",
    },
}


def app_settings() -> dict[str, Any]:
    apps = module("apps")
    settings = dict(apps["variables"]["settings"]["value"])
    for resource in ("webSettings", "workerSettings"):
        config = apps["resources"][resource]["config"]
        properties = config.get("config", config)["properties"]
        settings |= properties["function"]["parameters"]["arg_2"]
    return settings


@pytest.mark.parametrize("path", [MAIN, *MODULES], ids=lambda path: path.stem)
def test_a_file_can_be_parsed(path: Path) -> None:
    assert parse(path)


@pytest.mark.parametrize("path", [MAIN, *MODULES], ids=lambda path: path.stem)
def test_every_parameter_and_variable_is_used(path: Path) -> None:
    text = without_comments(path)
    declared = [*parse(path).get("parameters", {}), *parse(path).get("variables", {})]

    assert [name for name in declared if len(re.findall(rf"\b{name}\b", text)) < 2] == []


@pytest.mark.slow
def test_every_module_is_used_with_all_its_parameters_and_no_others() -> None:
    used = parse(MAIN)["modules"]

    assert {entry["detail"]["path"] for entry in used.values()} == {
        f"modules/{path.name}" for path in MODULES
    }
    for entry in used.values():
        declared = parse(DEPLOY / entry["detail"]["path"])["parameters"]
        config = entry["config"].get("config", entry["config"])
        required = {name for name, value in declared.items() if value["default"] is None}
        assert required <= set(config["params"]) <= set(declared)


def test_every_output_that_is_read_exists() -> None:
    text = without_comments(MAIN)
    used = parse(MAIN)["modules"]

    read = re.findall(r"\b(\w+)\.outputs\.(\w+)", text)
    assert read
    for name, output in read:
        assert output in parse(DEPLOY / used[name]["detail"]["path"])["outputs"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_parameter_files_name_parameters_and_allowed_values(environment: str) -> None:
    declared = parse(MAIN)["parameters"]

    for name, value in parameters(environment).items():
        allowed = decorators(declared[name]).get("allowed")
        assert allowed is None or value in allowed
    assert parameters(environment)["environment"] == environment


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_secret_is_in_a_parameter_file(environment: str) -> None:
    declared = parse(MAIN)["parameters"]
    secret = {name for name, entry in declared.items() if "secure" in decorators(entry)}

    assert secret == {"secretKey", "sqlAdministratorPassword"}
    assert secret.isdisjoint(parameters(environment))


@pytest.mark.parametrize("path", [MAIN, *MODULES], ids=lambda path: path.stem)
def test_no_secret_is_an_output(path: Path) -> None:
    outputs = str(parse(path).get("outputs", {})).lower()

    for word in ("password", "secretkey", "listkeys"):
        assert word not in outputs


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_resources_have_the_planned_names_within_azures_rules(environment: str) -> None:
    found = names(environment)

    assert found | PLANNED[environment] == found
    assert re.fullmatch(r"[a-z0-9]{3,24}", found["storage"])
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]", found["vault"])


def test_the_free_database_is_for_staging_only() -> None:
    assert parameters("production")["databaseSize"] != "Free"


def test_every_app_setting_is_a_setting_of_the_product_or_the_platform() -> None:
    assert set(app_settings()) - PLATFORM - START - set(VARIABLES) <= {
        "APPLICATIONINSIGHTS_CONNECTION_STRING"
    }
    start = (ROOT / "deploy" / "start").read_text()
    assert all(f"${{{name}:-2}}" in start for name in START)


def test_nothing_is_written_beside_the_code() -> None:
    """There it is a slow network share, or read-only; the service creates its folders at the start."""
    written = {name for name in VARIABLES if name.endswith("_DIR")} - {"LAKE_DIR"}
    written |= {"MEDIA_ROOT", "COUNTS_PATH"}
    image = dict(
        re.findall(r"^ +(\w+)=(\S+)", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    )

    assert written <= set(app_settings())
    assert {PurePosixPath(app_settings()[name]).parts[1] for name in written} == {"tmp"}
    assert written <= set(image)
    assert {PurePosixPath(image[name]).parts[1] for name in written} == {"data", "tmp"}


def test_the_platform_waits_for_the_work_that_a_worker_finishes() -> None:
    patience = Command().create_parser("manage.py", "run_worker").get_default("patience")

    assert int(app_settings()["WEBSITES_CONTAINER_STOP_TIME_LIMIT"]) > patience


def test_what_processes_print_is_kept() -> None:
    apps = module("apps")["resources"]
    assert list(values(apps, "httpLoggingEnabled")) == [True, True]


def test_retention_is_that_of_the_product() -> None:
    documented = dict(
        re.findall(r"^# (\w+)=(\d+)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    )
    declared = parse(MAIN)["parameters"]
    rule = module("storage")["resources"]["tiers"]

    for parameter, setting in (
        ("coolAfterDays", "COOL_AFTER_DAYS"),
        ("archiveAfterDays", "ARCHIVE_AFTER_DAYS"),
        ("deleteDeltasAfterDays", "DELETE_DELTAS_AFTER_DAYS"),
        ("storageBudgetBytes", "STORAGE_BUDGET_BYTES"),
    ):
        assert str(declared[parameter]["default"]) == documented[setting]
        assert parameter in str(app_settings()[setting])
    assert list(values(rule, "daysAfterModificationGreaterThan")) == [
        "coolAfterDays",
        "archiveAfterDays",
    ]


def test_settings_refer_to_secrets_that_the_vault_has() -> None:
    references = set(re.findall(r"SecretName=([\w-]+)", str(app_settings())))
    stored = {
        resource["config"]["name"]
        for name in ("vault", "redis")
        for resource in module(name)["resources"].values()
        if resource["type"].endswith("/secrets")
    }

    assert references <= stored
    assert {"secret-key", "redis-url"} <= references


def test_nothing_is_reached_without_tls_or_by_anybody() -> None:
    account = str(module("storage")["resources"]["account"])
    vault = module("vault")["resources"]["vault"]["config"]["properties"]
    apps = module("apps")["resources"]

    assert "'allowBlobPublicAccess': False" in account
    assert "'allowSharedKeyAccess': False" in account
    assert vault["enableRbacAuthorization"] is True
    assert list(values(apps, "httpsOnly")) == [True, True]
    assert list(values(apps, "ftpsState")) == ["Disabled", "Disabled"]
    assert list(values(module("database"), "minimalTlsVersion")) == ["1.2"]
    assert list(values(module("redis"), "clientProtocol")) == ["Encrypted"]


def test_both_ways_of_signing_in_to_the_database_are_open() -> None:
    server = module("database")["resources"]["server"]["config"]["properties"]

    assert server["administratorLogin"]
    assert server["administrators"]["azureADOnlyAuthentication"] is False


def test_the_budget_warns_at_25_and_before() -> None:
    assert [parameters(name)["monthlyBudget"] for name in ENVIRONMENTS] == [25, 25]
    assert sorted(values(module("budget"), "threshold")) == [80, 100]


def test_start_up_commands_are_those_of_the_start_script() -> None:
    commands = list(values(module("apps"), "appCommandLine"))
    script = (DEPLOY / "start").read_text()

    assert commands == ["bash deploy/start web", "bash deploy/start worker"]
    for command in commands:
        assert re.search(rf"^  {command.split()[-1]}\)$", script, re.MULTILINE)


def test_alerts_are_about_metrics_that_azure_measures_of_these_resources() -> None:
    """Names from Azure Monitor's list of supported metrics; alerts go to the action group."""
    measured = {
        "webAppId": {"Http5xx", "HttpResponseTime", "HealthCheckStatus"},
        "databaseId": {"storage_percent", "connection_failed"},
        "storageId": {"UsedCapacity"},
    }
    variables = module("alerts")["variables"]
    rules = [*variables["always"]["value"], *variables["health"]["value"]]

    assert {rule["metric"] for rule in rules} == set().union(*measured.values())
    for rule in rules:
        assert rule["metric"] in measured[rule["resource"]]
        assert rule["description"]
    assert list(values(module("alerts")["resources"], "actionGroupId")) == ["actionGroupId"]
