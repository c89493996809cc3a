"""The workflows of GitHub Actions: valid, safe, and calling commands and files that exist."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = ROOT / "tests" / "actionlint" / "node_modules" / "@tktco" / "node-actionlint"


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def load(path: Path) -> dict[str, Any]:
    """Return a workflow. YAML reads its key `on` as True."""
    content = yaml.safe_load(path.read_text())
    content["on"] = content.pop(True)
    return dict(content)


def steps_of(path: Path) -> list[dict[str, Any]]:
    return [step for job in load(path)["jobs"].values() for step in job.get("steps", [])]


def run_actionlint(*paths: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["node", str(ACTIONLINT / "bin" / "node-actionlint.js"), *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def run_zizmor(*paths: Path) -> "subprocess.CompletedProcess[str]":
    zizmor = Path(sys.executable).with_name("zizmor")
    return subprocess.run(
        [zizmor, "--offline", "--no-progress", "--min-severity", "medium", *paths],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_all_workflows_pass_actionlint() -> None:
    result = run_actionlint(*WORKFLOWS)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_actionlint_finds_an_unknown_expression(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n"
        "    steps:\n      - run: echo ${{ unknown.value }}\n"
    )

    result = run_actionlint(broken)

    assert result.returncode != 0
    assert "undefined variable" in result.stdout + result.stderr


def test_all_workflows_pass_zizmor() -> None:
    result = run_zizmor(ROOT / ".github")

    assert result.returncode == 0, result.stdout + result.stderr


def test_zizmor_finds_an_action_that_is_not_pinned(tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "ci.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(
        "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n"
        "    steps:\n      - uses: azure/login@v2\n"
    )

    result = run_zizmor(tmp_path)

    assert result.returncode != 0
    assert "unpinned-uses" in result.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=names(WORKFLOWS))
def test_actions_are_pinned_by_hash_with_their_version(path: Path) -> None:
    used = re.findall(r"uses: (?!\./)(.+)$", path.read_text(), re.MULTILINE)

    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+(\.\d+)*", action), action


def test_an_action_has_the_same_hash_everywhere() -> None:
    versions: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for step in steps_of(path):
            if uses := step.get("uses"):
                action, _, commit = uses.partition("@")
                versions.setdefault(action, set()).add(commit)

    assert versions
    assert {action: hashes for action, hashes in versions.items() if len(hashes) > 1} == {}


@pytest.mark.parametrize("path", WORKFLOWS, ids=names(WORKFLOWS))
def test_commands_use_files_and_make_targets_that_exist(path: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = "\n".join(step.get("run", "") for step in steps_of(path))

    for target in re.findall(r"\bmake ([\w-]+)", commands):
        assert target in targets
    for file in re.findall(r"(?<![\w/])((?:deploy|\.ci)/[\w./-]+)", commands):
        assert (ROOT / file).is_file(), file


def test_only_tested_code_is_deployed_and_each_branch_goes_to_its_environment() -> None:
    deploy = load(ROOT / ".github" / "workflows" / "deploy.yml")
    jobs = deploy["jobs"]

    assert deploy["on"] == {"push": {"branches": ["main", "dev_sql"]}}
    assert jobs["test"]["uses"] == "./.github/workflows/ci.yml"
    assert jobs["package"]["needs"] == "test"
    for environment, branch in (("staging", "dev_sql"), ("production", "main")):
        assert jobs[environment]["needs"] == "package"
        assert jobs[environment]["if"] == f"github.ref == 'refs/heads/{branch}'"
        assert jobs[environment]["with"]["environment"] == environment


def test_a_rollback_deploys_to_the_same_places_as_a_release() -> None:
    deploy = load(ROOT / ".github" / "workflows" / "deploy.yml")["jobs"]
    rollback = load(ROOT / ".github" / "workflows" / "rollback.yml")["jobs"]

    for environment in ("staging", "production"):
        released = {**deploy[environment]["with"], "run-id": None}
        assert {**rollback[environment]["with"], "run-id": None} == released


def test_a_release_runs_in_its_environment_and_signs_in_without_a_secret() -> None:
    path = ROOT / ".github" / "workflows" / "release.yml"
    job = load(path)["jobs"]["release"]

    assert job["environment"]["name"] == "${{ inputs.environment }}"  # where approval is asked for
    assert job["permissions"]["id-token"] == "write"
    assert "secrets." not in path.read_text()


def test_a_release_migrates_before_it_deploys_and_checks_afterwards() -> None:
    steps = [str(step) for step in steps_of(ROOT / ".github" / "workflows" / "release.yml")]
    place = {
        text: next(number for number, step in enumerate(steps) if text in step)
        for text in ("migrate_once", "azure/webapps-deploy", "deploy/check", "gh run download")
    }

    assert list(place) == sorted(place, key=lambda text: place[text])
