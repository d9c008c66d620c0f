"""The example of autoscaling agrees with itself, with the settings, the command and the metrics."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from atelier.cli import app
from infra import metrics
from infra.settings import load_settings, unknown_variables

ROOT = Path(__file__).parents[2]
FILE = ROOT / "infra/deploy/keda/worker-image.yaml"
DEPLOYMENT, SCALED = list(yaml.safe_load_all(FILE.read_text()))
POD: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
ENVIRONMENT = {item["name"]: item["value"] for item in CONTAINER["env"]}
METRICS = {metric.full_name: metric for metric in metrics.METRICS}
TRIGGERS: list[dict[str, Any]] = SCALED["spec"]["triggers"]


def test_it_scales_the_deployment_beside_it() -> None:
    assert (DEPLOYMENT["kind"], SCALED["kind"]) == ("Deployment", "ScaledObject")
    assert SCALED["spec"]["scaleTargetRef"]["name"] == DEPLOYMENT["metadata"]["name"]
    assert "replicas" not in DEPLOYMENT["spec"], "or each rollout would undo the scaling"
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_every_variable_is_a_setting_with_a_sound_value() -> None:
    assert unknown_variables(ENVIRONMENT) == []
    settings = load_settings(ENVIRONMENT)
    assert {port["containerPort"] for port in CONTAINER["ports"]} == {settings.worker_metrics_port}


def test_a_worker_that_is_taken_away_has_time_to_drain() -> None:
    settings = load_settings(ENVIRONMENT)
    drained = settings.drain_seconds + settings.stop_grace_seconds
    assert POD["terminationGracePeriodSeconds"] > drained + 60
    assert "lifecycle" not in CONTAINER


def test_the_secret_is_said_to_hold_the_three_addresses() -> None:
    (said,) = re.findall(r"secretRef: .* # (.+)$", FILE.read_text(), re.MULTILINE)
    assert unknown_variables(dict.fromkeys(said.split(", "), "")) == []


def test_it_runs_a_command_that_the_project_offers() -> None:
    name, part, *options = CONTAINER["command"]
    assert name == "atelier"
    shown = CliRunner().invoke(app, [part, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    assert all(option in shown for option in options if option.startswith("--"))


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger["metricType"])
def test_it_asks_for_a_level_that_we_tell_of_a_queue_that_the_worker_serves(trigger: dict[str, Any]) -> None:
    query = trigger["metadata"]["query"]
    (name,) = re.findall(r"atelier_\w+", query)
    chosen = dict(re.findall(r"(\w+)=~?\"([^\"]+)\"", query))
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(", ")}

    assert METRICS[name].type_name == "gauge"
    assert set(chosen) | grouped <= set(METRICS[name].labels)
    assert chosen["queue"] == CONTAINER["command"][CONTAINER["command"].index("--queues") + 1]
    for state in chosen.get("state", "").split("|"):
        assert state in METRICS[name].help


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger["metricType"])
def test_a_trigger_is_one_of_prometheus_with_numbers_as_text(trigger: dict[str, Any]) -> None:
    assert trigger["type"] == "prometheus"
    assert trigger["metricType"] in {"AverageValue", "Value"}
    assert set(trigger["metadata"]) == {"serverAddress", "query", "threshold", "ignoreNullValues"}
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    assert float(trigger["metadata"]["threshold"]) > 0
