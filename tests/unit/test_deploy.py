"""What infra/deploy and docker-compose.yml say agrees with itself, with the settings and with the metrics."""

import json
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from infra import keys, metrics
from infra.metric_types import Counter, Histogram
from infra.settings import Settings, load_settings, unknown_variables
from infra.storage import open_storage

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "infra/deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILES = sorted(DEPLOY.glob("*.Dockerfile"))
OURS = [name for name, service in SERVICES.items() if "build" in service]
SCRIPT = runpy.run_path(str(DEPLOY / "new_secrets.py"))
ASKED_FOR = re.compile(r"\$\{(\w+):\?[^}]*\}")


def filled(text: object) -> str:
    """A value of the compose file with its variables in place."""
    values = SCRIPT["fresh"]()
    return ASKED_FOR.sub(lambda match: values[match[1]], str(text))


def environment(service: str) -> dict[str, str]:
    return {name: filled(value) for name, value in SERVICES[service].get("environment", {}).items()}


def settings_of(service: str) -> Settings:
    return load_settings(environment(service))


class TestCompose:
    def test_has_a_service_for_each_part(self) -> None:
        parts = {"api", "worker-cpu", "worker-gpu", "valkey", "garage", "prometheus", "grafana"}
        assert set(SERVICES) == parts
        assert OURS == ["api", "worker-cpu", "worker-gpu"]

    @pytest.mark.parametrize("service", OURS)
    def test_every_variable_is_a_setting_with_a_sound_value(self, service: str) -> None:
        assert unknown_variables(environment(service)) == []
        open_storage(settings_of(service))

    def test_asks_for_the_values_that_the_script_writes(self) -> None:
        asked = set(ASKED_FOR.findall((ROOT / "docker-compose.yml").read_text()))
        assert asked == set(SCRIPT["fresh"]())

    @pytest.mark.parametrize("service", SERVICES)
    def test_depends_on_services_that_are_there_and_say_when_they_are_ready(self, service: str) -> None:
        wanted = SERVICES[service].get("depends_on", {})
        for name in wanted:
            assert name in SERVICES
            if isinstance(wanted, dict) and wanted[name]["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]

    @pytest.mark.parametrize("service", SERVICES)
    def test_mounts_what_is_there(self, service: str) -> None:
        for volume in SERVICES[service].get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]

    def test_uses_every_volume_and_secret_that_it_declares(self) -> None:
        mounted = {
            volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])
        }
        given = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
        assert set(COMPOSE["volumes"]) == {name for name in mounted if not name.startswith(".")}
        assert set(COMPOSE["secrets"]) == given

    @pytest.mark.parametrize("service", SERVICES)
    def test_names_an_image_that_stays_the_same(self, service: str) -> None:
        image = SERVICES[service]["image"]
        assert service in OURS or re.fullmatch(r"[a-z/]+:v?\d+(\.\d+)*", image)

    @pytest.mark.parametrize("service", SERVICES)
    def test_gives_no_more_rights_than_needed(self, service: str) -> None:
        assert SERVICES[service]["cap_drop"] == ["ALL"]
        assert SERVICES[service]["read_only"] is True
        assert "privileged" not in SERVICES[service]

    def test_publishes_ports_on_loopback_unless_told_otherwise(self) -> None:
        published = [port for service in SERVICES.values() for port in service.get("ports", [])]
        assert all(re.match(r"(\$\{API_ADDRESS:-)?127\.0\.0\.1:", port) for port in published)


class TestAgreement:
    def test_the_api_publishes_the_port_that_it_listens_on(self) -> None:
        (published,) = SERVICES["api"]["ports"]
        assert published.endswith(f":{settings_of('api').port}")
        assert settings_of("api").host == "0.0.0.0"  # noqa: S104  # inside its container
        assert f":{settings_of('api').port}/livez" in str(SERVICES["api"]["healthcheck"]["test"])

    def test_all_parts_use_the_same_servers(self) -> None:
        assert len({re.sub(":.*@", "@", settings_of(service).redis_url) for service in OURS}) == 1
        assert len({urlsplit(settings_of(service).storage_url).hostname for service in OURS}) == 1
        assert urlsplit(settings_of("api").redis_url).hostname in SERVICES

    def test_storage_is_where_garage_serves_it(self) -> None:
        garage = tomllib.loads((DEPLOY / "garage/garage.toml").read_text())
        storage = urlsplit(settings_of("api").storage_url)
        assert storage.hostname == "garage"
        assert f":{storage.port}" in garage["s3_api"]["api_bind_addr"]
        assert parse_qs(storage.query)["region"] == [garage["s3_api"]["s3_region"]]
        assert storage.path == "/" + SERVICES["garage"]["environment"]["GARAGE_DEFAULT_BUCKET"]

    def test_garage_syncs_before_it_answers(self) -> None:
        garage = tomllib.loads((DEPLOY / "garage/garage.toml").read_text())
        assert garage["metadata_fsync"] is garage["data_fsync"] is True
        assert garage["data_dir"].startswith("/var/lib/garage/")
        assert garage["metadata_dir"].startswith("/var/lib/garage/")

    def test_valkey_keeps_every_write(self) -> None:
        command = SERVICES["valkey"]["command"]
        assert "--appendonly yes" in command
        assert "--appendfsync always" in command
        assert "--maxmemory-policy noeviction" in command

    def test_the_bootstrap_key_is_mounted_where_the_api_looks(self) -> None:
        assert settings_of("api").bootstrap_key_file == Path("/run/secrets") / SERVICES["api"]["secrets"][0]

    def test_workers_have_time_to_drain(self) -> None:
        for service in ("worker-cpu", "worker-gpu"):
            grace = float(SERVICES[service]["stop_grace_period"].removesuffix("s"))
            assert grace > settings_of(service).drain_seconds + settings_of(service).stop_grace_seconds

    def test_the_gpu_worker_takes_every_gpu(self) -> None:
        (device,) = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["count"]) == ("nvidia", "all")
        assert SERVICES["worker-gpu"]["command"][-2:] == ["--device", "all"]


class TestSecrets:
    def test_writes_closed_files_once(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert SCRIPT["main"](tmp_path) == 0
        first = (tmp_path / ".env").read_text()

        assert SCRIPT["main"](tmp_path) == 1
        assert (tmp_path / ".env").read_text() == first
        assert "there already" in capsys.readouterr().err
        assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700

    def test_writes_the_files_that_compose_mounts(self, tmp_path: Path) -> None:
        SCRIPT["main"](tmp_path)
        assert {tmp_path / secret["file"] for secret in COMPOSE["secrets"].values()} == {
            *(tmp_path / "secrets").iterdir()
        }

    def test_the_api_key_is_one_that_the_api_accepts(self, tmp_path: Path) -> None:
        SCRIPT["main"](tmp_path)
        assert keys.SHAPE.fullmatch((tmp_path / "secrets/bootstrap_key").read_text())

    def test_prometheus_has_the_key_that_the_api_asks_for(self, tmp_path: Path) -> None:
        SCRIPT["main"](tmp_path)
        given = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
        assert (tmp_path / "secrets/scraper_key").read_text() == given["SCRAPER_KEY"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
class TestDockerfiles:
    def test_is_built_by_a_service(self, dockerfile: Path) -> None:
        assert f"infra/deploy/{dockerfile.name}" in {SERVICES[name]["build"]["dockerfile"] for name in OURS}

    def test_copies_what_is_there_and_not_ignored(self, dockerfile: Path) -> None:
        allowed = {
            line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
        }
        copied = re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile.read_text(), re.MULTILINE)
        sources = {source for line in copied for source in line.split()}
        assert all((ROOT / source).exists() for source in sources)
        assert sources == allowed

    def test_copies_every_package(self, dockerfile: Path) -> None:
        packages = {name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
        assert all(f"COPY {package} {package}" in dockerfile.read_text() for package in packages)

    def test_pins_torch_or_has_none(self, dockerfile: Path) -> None:
        installs = re.findall(r"pip install (?:[^\n]*\\\n)*[^\n]*", dockerfile.read_text())
        pin = next(
            row for row in PROJECT["project"]["optional-dependencies"]["worker"] if row.startswith("torch")
        )
        assert all("-c constraints.txt" in install for install in installs)
        if dockerfile.stem == "api":
            assert all("torch" not in install and "worker" not in install for install in installs)
        else:
            assert all(pin in install for install in installs)

    def test_runs_a_command_that_the_project_offers(self, dockerfile: Path) -> None:
        command = json.loads(re.findall(r"^CMD (.+)$", dockerfile.read_text(), re.MULTILINE)[-1])
        (service,) = [
            name for name in OURS if SERVICES[name]["build"]["dockerfile"].endswith(f"/{dockerfile.name}")
        ]
        assert command == SERVICES[service]["command"]
        assert command[0] in PROJECT["project"]["scripts"]

    def test_does_not_run_as_root(self, dockerfile: Path) -> None:
        assert "\nUSER atelier\n" in dockerfile.read_text()


class TestPrometheus:
    CONFIG: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())

    def job(self, name: str) -> dict[str, Any]:
        (found,) = [job for job in self.CONFIG["scrape_configs"] if job["job_name"] == name]
        return found  # type: ignore[no-any-return]

    def test_scrapes_the_api_with_the_mounted_key(self) -> None:
        job = self.job("api")
        assert job["static_configs"] == [{"targets": [f"api:{settings_of('api').port}"]}]
        mounted = Path(job["authorization"]["credentials_file"])
        assert mounted.parent == Path("/run/secrets")
        assert mounted.name in SERVICES["prometheus"]["secrets"]
        assert settings_of("api").scraper_key

    def test_scrapes_every_kind_of_worker(self) -> None:
        (lookup,) = self.job("worker")["dns_sd_configs"]
        assert set(lookup["names"]) == {name for name in OURS if name.startswith("worker")}
        for name in lookup["names"]:
            assert settings_of(name).worker_metrics_port == lookup["port"]

    def test_is_where_grafana_looks(self) -> None:
        (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())[
            "datasources"
        ]
        place = urlsplit(source["url"])
        assert (place.hostname, source["uid"]) == ("prometheus", "prometheus")
        assert SERVICES["prometheus"]["ports"][0].endswith(f":{place.port}")


class TestBoard:
    BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/atelier.json").read_text())
    EXPRESSIONS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]  # noqa: RUF012
    SERIES = {  # noqa: RUF012
        metric.full_name + suffix: metric
        for metric in metrics.METRICS
        for suffix in (("_bucket", "_count", "_sum") if isinstance(metric, Histogram) else ("",))
    }

    def test_is_provisioned(self) -> None:
        (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/atelier.yml").read_text())[
            "providers"
        ]
        assert any(
            volume == f"./infra/deploy/grafana/dashboards:{provider['options']['path']}:ro"
            for volume in SERVICES["grafana"]["volumes"]
        )

    @pytest.mark.parametrize("expression", EXPRESSIONS)
    def test_asks_for_declared_metrics_and_labels_only(self, expression: str) -> None:
        names = re.findall(r"atelier_\w+", expression)
        assert names
        for name in names:
            metric = self.SERIES[name]
            grouped = {
                label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")
            }
            chosen = set(re.findall(r"(\w+)=\"", expression))
            assert (grouped | chosen) - {"le"} <= set(metric.labels)
            assert isinstance(metric, Counter | Histogram) == bool(
                re.search(r"(rate|increase)\(", expression)
            )

    def test_shows_most_of_what_is_measured(self) -> None:
        shown = {
            self.SERIES[name]
            for expression in self.EXPRESSIONS
            for name in re.findall(r"atelier_\w+", expression)
        }
        assert len(shown) >= 0.7 * len(metrics.METRICS)

    def test_panels_do_not_overlap(self) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in self.BOARD["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken
            taken |= cells
