"""Settings: read in one place, checked, and documented."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.errors import BadSetting
from infra.places import LONGEST_SOCKET_PATH, Places, make_private
from infra.settings import Settings, load_settings, table, unknown_variables, variable

DOCS = Path(__file__).parents[3] / "docs"


class TestReading:
    def test_each_setting_is_read_from_its_variable(self) -> None:
        settings = load_settings({"ATELIER_PORT": "8001", "ATELIER_LOG_LEVEL": "debug", "PORT": "1"})
        assert (settings.port, settings.log_level) == (8001, "debug")

    def test_an_empty_variable_counts_as_not_set(self) -> None:
        assert load_settings({"ATELIER_PORT": "", "ATELIER_HOME": "/h"}) == Settings(home=Path("/h"))

    def test_only_load_settings_reads_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ATELIER_PORT", "8001")
        assert Settings().port == 8000
        assert load_settings().port == 8001

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "eighty"),
            ("PORT", "70000"),
            ("DURABILITY", "maybe"),
            ("MAX_ATTEMPTS", "0"),
            ("PORT", "tcp://h:1"),
        ],
    )
    def test_a_wrong_value_is_told_by_the_variables_name(self, name: str, value: str) -> None:
        with pytest.raises(BadSetting, match=f"ATELIER_{name}: "):
            load_settings({f"ATELIER_{name}": value})

    def test_a_lease_must_outlive_a_late_beat(self) -> None:
        with pytest.raises(BadSetting, match="twice beat_seconds"):
            load_settings({"ATELIER_LEASE_SECONDS": "5", "ATELIER_BEAT_SECONDS": "3"})
        with pytest.raises(BadSetting, match="batch_window_ms"):
            load_settings({"ATELIER_LEASE_SECONDS": "6", "ATELIER_BATCH_WINDOW_MS": "5000"})

    def test_a_misspelt_setting_is_refused_in_code_and_found_in_the_environment(self) -> None:
        with pytest.raises(ValidationError):
            Settings(prot=1)  # type: ignore[call-arg]
        assert unknown_variables({"ATELIER_PROT": "1", "ATELIER_PORT": "1", "HOME": "/"}) == ["ATELIER_PROT"]

    def test_a_child_process_gets_the_same_settings(self) -> None:
        settings = Settings(
            home=Path("/h"), port=8001, durability="fast", bootstrap_key_file=Path("/k"), drain_seconds=0.5
        )
        assert load_settings({"ATELIER_LOG_LEVEL": "debug", **settings.environ()}) == settings

    def test_secrets_stay_out_of_the_repr_and_of_errors(self) -> None:
        secret = "s3cr3t"
        settings = Settings(
            api_key=secret, scraper_key=secret, redis_url=f"redis://:{secret}@h", storage_url=secret
        )
        assert secret not in repr(settings)
        with pytest.raises(BadSetting) as caught:
            load_settings({"ATELIER_PORT": secret})
        assert secret not in str(caught.value)


class TestAddresses:
    def test_everything_is_embedded_by_default(self, tmp_path: Path) -> None:
        settings = Settings(home=tmp_path)
        assert settings.state_address.startswith("unix:///")
        assert settings.broker_address != settings.state_address
        assert settings.storage_address == f"file://{tmp_path}/artifacts"

    def test_one_server_serves_as_state_and_broker(self) -> None:
        settings = Settings(redis_url="redis://a")
        assert settings.state_address == settings.broker_address == "redis://a"

    def test_two_servers(self) -> None:
        settings = Settings(redis_url="redis://a", broker_url="redis://b")
        assert (settings.state_address, settings.broker_address) == ("redis://a", "redis://b")

    def test_queue_names(self) -> None:
        assert Settings(queues=" image, text,,image").queue_names == ("image", "text")


class TestPlaces:
    def test_sockets_of_a_deep_home_stand_in_a_short_folder(self) -> None:
        places = Places(Path("/" + "d" * 100))
        assert places.sockets.parent == Path("/tmp")
        assert len(str(places.broker_socket)) <= LONGEST_SOCKET_PATH
        assert places.sockets == Places(places.home).sockets != Places(Path("/" + "e" * 100)).sockets

    @pytest.mark.parametrize("length", range(80, 110))
    def test_no_home_gives_a_socket_path_that_is_too_long(self, length: int) -> None:
        assert len(str(Places(Path("/" + "d" * length)).broker_socket)) <= LONGEST_SOCKET_PATH

    def test_a_private_folder_is_closed_to_others(self, tmp_path: Path) -> None:
        (tmp_path / "open").mkdir(mode=0o755)
        assert make_private(tmp_path / "open").stat().st_mode & 0o777 == 0o700
        assert make_private(tmp_path / "new").stat().st_mode & 0o777 == 0o700

    def test_a_link_in_its_place_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path)
        with pytest.raises(BadSetting, match="not a folder of this user"):
            make_private(tmp_path / "link")


class TestDocumentation:
    def test_every_setting_has_its_row(self) -> None:
        assert table() in (DOCS / "settings.md").read_text(), (
            "run: python -m infra.settings, and paste its table"
        )

    def test_no_setting_is_described_that_is_none(self) -> None:
        known = {variable(name) for name in Settings.model_fields}
        assert set(re.findall(r"ATELIER_[A-Z0-9_]+", (DOCS / "settings.md").read_text())) <= known
