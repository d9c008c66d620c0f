"""Every setting of Atelier: name, type, default, meaning. `ATELIER_<NAME>` in the environment sets it.

`load_settings` is the only code that reads the environment; everything else is given a `Settings`. The table
in docs/settings.md is printed by `python -m infra.settings`, and a test compares the two.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from infra.errors import BadSetting
from infra.memory import amount
from infra.places import Places

PREFIX = "ATELIER_"
MIB = 1024 * 1024
GIB = 1024 * MIB

SafetyAction = Literal["allow", "label", "blur", "block"]


class Settings(BaseModel):
    """All settings, checked and frozen. Values that hold secrets stay out of the repr."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    # Where things are
    home: Path = Field(
        Path("~/.atelier"), description="Folder of embedded data: job records, artifacts, logs, sockets."
    )
    redis_url: str = Field(
        "",
        repr=False,
        description="State server: `redis://`, `rediss://`, `unix://`, or"
        " `redis+sentinel://HOST:PORT,HOST:PORT/SERVICE`. Empty: the embedded one.",
    )
    broker_url: str = Field(
        "",
        repr=False,
        description="Server for doorbells and live progress; may lose everything. Empty: the state"
        " server too, or the embedded one.",
    )
    storage_url: str = Field(
        "",
        repr=False,
        description="Artifacts: `file:///FOLDER`, or `s3+http://ACCESS:SECRET@HOST:PORT/BUCKET?region=R` (or"
        " `s3+https`). Empty: the folder `artifacts` in the home.",
    )
    storage_public_url: str = Field(
        "",
        description="Where clients reach the S3 server themselves. When set, artifact requests are answered"
        " with a redirect to a signed URL there. Empty: the API sends the bytes.",
    )
    durability: Literal["safe", "replicated", "fast"] = Field(
        "safe",
        description="`safe`: a job is on the state server's disk before it is accepted; a server that cannot"
        " do that is refused. `replicated`: and on the disk of one replica, so that a failover to it loses"
        " nothing. `fast`: a crash of the state server may lose the last second of accepted jobs.",
    )
    catalog: str = Field(
        "",
        description="More catalog files (TOML), separated by `:`. `models.toml` in the home is read before"
        " them, and `models/pulled.toml`, which `atelier models pull` writes, after them; if they exist.",
    )

    # The API server
    host: str = Field(
        "127.0.0.1",
        description="Address that the API, or a worker's `/metrics`, listens on. Beyond loopback the"
        " API needs a key.",
    )
    port: int = Field(8000, ge=0, le=65535, description="Port that the API listens on; 0 takes a free one.")
    bootstrap_key_file: Path | None = Field(
        None,
        description="File with an API key to install at start, so that a new deployment has its first key.",
    )
    api_processes: int = Field(1, ge=1, description="API processes that share the port.")
    max_watchers: int = Field(
        1000,
        ge=1,
        description="Open event streams and long polls in one API process; one more is answered 503.",
    )
    max_body_bytes: int = Field(MIB, ge=1024, description="Longest JSON request body, in bytes.")
    max_upload_bytes: int = Field(64 * MIB, ge=1024, description="Largest uploaded file, in bytes.")
    max_stored_upload_bytes_per_owner: int = Field(
        GIB, ge=1024, description="Bytes of uploads that one owner may have stored; past it 429."
    )
    webhook_allow: str = Field(
        "",
        description="Receivers of webhooks that may be private, use http and any port, separated by commas:"
        " a host, `HOST:PORT`, an address or a network such as `10.1.0.0/16`. Empty: only public https on"
        " port 443.",
    )
    webhook_timeout_seconds: float = Field(
        15.0, gt=0, le=30, description="How long a receiver of webhooks may take to answer."
    )
    media_confinement: Literal["required", "best_effort"] = Field(
        "required",
        description="Uploads are decoded in a process that can reach nothing but them. `required`: where that"
        " cannot be had (it takes Linux with seccomp, on x86-64 or arm64) uploads are answered 503."
        " `best_effort`: there they are decoded under limits of memory and time alone.",
    )
    input_urls: bool = Field(
        False,
        description="Whether inputs may name a file by its URL, which the API then downloads. Only https on"
        " port 443 of public addresses is reached, apart from `input_url_allow`.",
    )
    input_url_allow: str = Field(
        "",
        description="Hosts, hosts with a port (`files.lan:8080`) and networks (`10.1.0.0/16`), separated by"
        " commas, that input URLs may reach though they are private, by http and on any port too.",
    )
    scraper_key: str = Field(
        "",
        repr=False,
        description="Bearer token that may read `/metrics` from beyond loopback. Empty: none may.",
    )

    # Safety
    safety_sexual: SafetyAction = Field(
        "label",
        description="What follows where a prompt or a picture is sexual. `allow`: nothing. `label`: its"
        " artifacts say so. `blur`: pictures and videos are blurred, too. `block`: it is refused. Sexual"
        " content with minors is refused whatever is set.",
    )
    safety_gore: SafetyAction = Field("label", description="The same for mutilation and cruelty.")
    safety_hate: SafetyAction = Field("block", description="The same for slurs and calls for violence.")
    safety_self_harm: SafetyAction = Field("block", description="The same for ways to hurt oneself.")
    safety_danger: SafetyAction = Field(
        "block", description="The same for instructions for weapons, explosives, poisons and hard drugs."
    )
    safety_fail_closed: bool = Field(
        False,
        description="Whether pictures and videos that no classifier can check, because none is installed or"
        " it fails, are not given out.",
    )

    run_code: bool = Field(
        False,
        description="Whether code that a model writes may be run with the `tests` that a job gives. It runs"
        " in a process without network, files and environment, under limits of memory and time, or not at"
        " all: that takes Linux with seccomp, on x86-64 or arm64. Set it alike for the API and the workers.",
    )

    # Workers
    queues: str = Field(
        "image,video,music,text,code", description="Queues that a worker serves, separated by commas."
    )
    device: str = Field(
        "auto",
        description="`auto`, `cpu`, `cuda:N`, or one worker each on `cuda:0,cuda:1` or on `all` GPUs.",
    )
    worker_metrics_port: int = Field(
        0, ge=0, le=65535, description="Port of a worker's own `/metrics`; 0 turns it off."
    )
    missing_models: Literal["wait", "fail"] = Field(
        "wait",
        description="What becomes of jobs of a model that no live worker can run, because its weights are"
        " missing or do not load. `wait`: they wait until one can. `fail`: they fail with"
        " `model_unavailable`.",
    )
    missing_model_seconds: float = Field(
        60.0,
        ge=0,
        description="With `missing_models` at `fail`: how long no worker may have offered a model before its"
        " jobs fail; a worker that starts or is upgraded may be late.",
    )
    model_memory: str = Field(
        "auto",
        description="Memory of the device that an engine may fill with loaded models and their runs: an"
        " amount (`24GB`, `24GiB`, bytes) or a share (`80%`). `auto`: 90 % of a GPU; on a CPU 50 % of the"
        " machine's memory, or of what its control group allows.",
    )
    preload: str = Field(
        "",
        description="Models, separated by commas, that a worker loads when it has nothing to do, in this"
        " order, so that their first job finds them loaded. Rows with `pinned = true` come before them.",
    )
    idle_unload_seconds: float = Field(
        0.0,
        ge=0,
        description="An idle worker drops a loaded model that has not been used for this long, unless it is"
        " pinned; 0: never.",
    )
    lease_seconds: float = Field(
        15.0, gt=0, description="A worker that has not been heard of for this long loses its job to another."
    )
    beat_seconds: float = Field(3.0, gt=0, description="Time between a worker's heartbeats.")
    tick_seconds: float = Field(
        1.0, gt=0, description="Time between two looks for expired leases and due jobs."
    )
    idle_claim_seconds: float = Field(
        2.0, gt=0, description="An idle worker looks for work this often, in case a doorbell got lost."
    )
    batch_window_ms: int = Field(
        0,
        ge=0,
        le=10_000,
        description="How long an idle worker holds a run that could hold more jobs, for others to share it,"
        " in milliseconds. 0: not at all, since what comes meanwhile shares the next run.",
    )
    exchange_seconds: float = Field(
        0.25,
        gt=0,
        le=5,
        description="Time between two exchanges of progress and cancel requests of a running job.",
    )
    drain_seconds: float = Field(
        30.0, ge=0, description="After SIGTERM a worker finishes its job within this time, or gives it back."
    )
    stop_grace_seconds: float = Field(
        10.0,
        gt=0,
        description="Time in which the engine obeys a stop (cancel, lost lease, end of the drain) before the"
        " worker kills it and starts another.",
    )
    commit_patience_seconds: float = Field(
        600.0,
        gt=0,
        description="How long a worker with finished results tries to commit them while the state server is"
        " away.",
    )
    load_timeout_seconds: float = Field(600.0, gt=0, description="Longest time to load a model.")
    step_timeout_seconds: float = Field(
        120.0, gt=0, description="Longest time between two steps of a running model."
    )
    encode_timeout_seconds: float = Field(
        300.0, gt=0, description="Longest time to write one output as files."
    )
    store_timeout_seconds: float = Field(
        300.0,
        gt=0,
        description="Longest time to fetch a job's input files, and to store its artifacts. A worker that"
        " hangs in it for twice as long gives the job back and ends, to be started again.",
    )
    storage_retry_seconds: float = Field(
        30.0,
        gt=0,
        description="A worker that the storage refuses (no bucket, no rights) takes no jobs, and tries again"
        " this often.",
    )

    # Provenance
    watermark: bool = Field(
        True,
        description="Whether pictures of at least 256 × 256 pixels get an invisible watermark.",
    )
    watermark_number: int = Field(
        0,
        ge=0,
        le=2047,
        description="Number that the watermark carries, to tell this deployment's pictures from others'.",
    )
    c2pa: bool = Field(
        True,
        description="Whether pictures, videos and sounds get a signed C2PA manifest, where their format can"
        " hold one.",
    )
    c2pa_certificates: Path | None = Field(
        None,
        description="PEM file of the certificates that manifests are signed with, the signer's first, the"
        " authority's last. Empty: a local credential is made in the home, which no verifier knows.",
    )
    c2pa_key: Path | None = Field(
        None, description="PEM file of the key that belongs to `c2pa_certificates`."
    )

    # Limits
    max_queued_per_owner: int = Field(
        1000,
        ge=1,
        description="Jobs that one owner may have waiting. This and the next three hold for owners that an"
        " operator has given nothing else.",
    )
    max_running_per_owner: int = Field(
        0, ge=0, description="Jobs of one owner that run at once; 0: no limit."
    )
    submit_rate_per_owner: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="Jobs that one owner may submit a second, in the long run; 0: no limit.",
    )
    submit_burst_per_owner: int = Field(
        50,
        ge=1,
        description="Jobs that one owner may submit at once before `submit_rate_per_owner` holds it back; a"
        " list may not be longer.",
    )
    max_queued: int = Field(100_000, ge=1, description="Jobs that may wait in the whole system.")
    max_attempts: int = Field(3, ge=1, description="A job fails after this many failed attempts.")
    max_crashes: int = Field(3, ge=1, description="A job fails after its engine has crashed this often.")
    max_losses: int = Field(10, ge=1, description="A job fails after its worker has been lost this often.")
    idempotency_hours: float = Field(24.0, gt=0, description="How long an `Idempotency-Key` is remembered.")
    expires_in_seconds: int = Field(
        7 * 86400,
        ge=1,
        description="Default life of a finished job and its artifacts; a job may ask for another.",
    )
    records_keep_seconds: int = Field(
        86400,
        ge=1,
        description="How long the record of a finished job stays on the state server. It then moves to the"
        " storage, and is answered from there until it expires.",
    )
    home_max_bytes: int = Field(
        10 * GIB,
        ge=0,
        description="Most bytes of artifacts and records in the home; past it submissions, retries and"
        " uploads get 507. 0: no cap.",
    )
    upload_expires_seconds: int = Field(86400, ge=1, description="Life of an upload that no job refers to.")
    events_keep_seconds: int = Field(
        3600, ge=1, description="How long a finished job's events can be replayed."
    )

    # Logs and metrics
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe record that is logged."
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="`json`: one object a line. `console`: for people."
    )
    metrics_dir: str = Field(
        "", description="Folder through which several processes share their metrics. Empty: each its own."
    )

    # Tests
    crash_at: str = Field(
        "",
        description="For tests: a crash point (`infra/crash_points.py`) at which the process kills itself, as"
        " `before_commit`, or `before_commit:3` for the third time. Empty: none.",
    )

    # Clients
    url: str = Field("http://127.0.0.1:8000", description="Where clients find the API.")
    api_key: str = Field("", repr=False, description="API key that clients send. Empty: none.")

    @field_validator("home", "bootstrap_key_file", "c2pa_certificates", "c2pa_key")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().resolve()

    @field_validator("model_memory")
    @classmethod
    def _is_amount(cls, text: str) -> str:
        if text != "auto" and amount(text, 10**12) <= 0:
            raise ValueError("is nothing")
        return text

    @model_validator(mode="after")
    def _leases_outlive_beats(self) -> Self:
        if self.lease_seconds < 2 * self.beat_seconds:
            raise ValueError(
                "lease_seconds must be at least twice beat_seconds, or one late beat loses the job"
            )
        if self.lease_seconds < 2 * self.beat_seconds + self.batch_window_ms / 1000:
            raise ValueError(
                "lease_seconds must be longer than batch_window_ms and two beats, or what waits is lost"
            )
        return self

    @model_validator(mode="after")
    def _certificates_have_a_key(self) -> Self:
        if (self.c2pa_certificates is None) != (self.c2pa_key is None):
            raise ValueError("c2pa_certificates and c2pa_key must be given together")
        return self

    @model_validator(mode="after")
    def _doorbells_need_one_address(self) -> Self:
        if self.redis_url.startswith("redis+sentinel:") and not self.broker_url:
            raise ValueError("with a state server behind Sentinel, broker_url must name a server of its own")
        return self

    @property
    def places(self) -> Places:
        """Paths under the home."""
        return Places(self.home)

    @property
    def state_address(self) -> str:
        """URL of the state server in use: `redis_url`, or the embedded server's socket."""
        return self.redis_url or f"unix://{self.places.state_socket}"

    @property
    def broker_address(self) -> str:
        """URL of the broker in use: `broker_url`, else `redis_url`, else the embedded broker's socket."""
        return self.broker_url or self.redis_url or f"unix://{self.places.broker_socket}"

    @property
    def storage_address(self) -> str:
        """URL of the storage in use: `storage_url`, or the artifacts folder of the home."""
        return self.storage_url or self.places.artifacts.as_uri()

    @property
    def queue_names(self) -> tuple[str, ...]:
        """`queues` as names, in the order given, without doubles."""
        return _names(self.queues)

    @property
    def preloaded(self) -> tuple[str, ...]:
        """`preload` as names, in the order given, without doubles."""
        return _names(self.preload)

    @property
    def own_catalog_files(self) -> tuple[Path, ...]:
        """The operator's own catalog files, whether they exist or not, the later over the earlier."""
        return (self.places.models, *(Path(name) for name in self.catalog.split(os.pathsep) if name))

    @property
    def catalog_files(self) -> tuple[Path, ...]:
        """The catalog files beside the built-in one, the later over the earlier. Those in the home are left
        out while they do not exist; the absence of one that `catalog` names is told.
        """
        files = (*self.own_catalog_files, self.places.pulled)
        optional = {self.places.models, self.places.pulled}
        # Not Path.exists, which raises where one may not look.
        return tuple(file for file in files if os.path.exists(file) or file not in optional)

    def environ(self) -> dict[str, str]:
        """The variables that give a child process these same settings, whatever else its environment says."""
        return {variable(name): "" if value is None else str(value) for name, value in self}


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def variable(name: str) -> str:
    """The environment variable of a setting: `port` → `ATELIER_PORT`."""
    return PREFIX + name.upper()


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment. An empty variable counts as not set; a wrong value is a BadSetting."""
    environ = os.environ if environ is None else environ
    given = {name: environ[variable(name)] for name in Settings.model_fields if environ.get(variable(name))}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise BadSetting("\n".join(_sentence(problem) for problem in error.errors())) from None


def unknown_variables(environ: Mapping[str, str] | None = None) -> list[str]:
    """`ATELIER_…` variables that are no setting: most likely typing errors. Worth a warning, no more, because
    Kubernetes adds such names for every service."""
    environ = os.environ if environ is None else environ
    known = {variable(name) for name in Settings.model_fields}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def _sentence(problem: ErrorDetails) -> str:
    where = variable(str(problem["loc"][0])) if problem["loc"] else "Settings"
    return f"{where}: {problem['msg']}."


def table() -> str:
    """The Markdown table of docs/settings.md."""
    rows = ["| Variable | Type | Default | Meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in ("", None) else f"`{field.default}`"
        rows.append(
            f"| `{variable(name)}` | {_type_name(field.annotation)} | {default} | {field.description} |"
        )
    return "\n".join(rows) + "\n"


def _type_name(annotation: object) -> str:
    if isinstance(annotation, type):
        return {"str": "text", "int": "integer", "float": "number", "Path": "path", "bool": "yes or no"}[
            annotation.__name__
        ]
    options = getattr(annotation, "__args__", ())
    return " or ".join(f"`{option}`" for option in options if isinstance(option, str)) or "path"


if __name__ == "__main__":
    print(table(), end="")
