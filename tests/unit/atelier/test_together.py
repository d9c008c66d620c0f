"""Following several jobs: each is shown until it is final; Ctrl-C leaves none that goes on."""

import pytest

from atelier.cli import together
from atelier.cli.follow import Interrupted
from atelier.cli.output import Output
from atelier.records import Job


def job(name, status):
    return Job.from_json(
        {"id": f"job_{name}", "kind": "text", "model": "a/b", "status": status, "version": 1}
    )


class Server:
    """Answers as a client does: each job takes the next of its states at every look."""

    def __init__(self, **states):
        self.states = {f"job_{name}": list(each) for name, each in states.items()}
        self.cancelled = []

    def get(self, job_id, *, patience=0.0):
        status = self.states[job_id].pop(0)
        if status == "Ctrl-C":
            raise KeyboardInterrupt
        return job(job_id.removeprefix("job_"), status)

    def cancel(self, job_id):
        self.cancelled.append(job_id)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(together, "LOOK_SECONDS", 0)


def test_it_ends_when_all_are_final(capsys):
    server = Server(tale=["running", "succeeded"], song=["queued", "running", "failed"])

    done = together.follow_together(
        server, {"tale": job("tale", "queued"), "song": job("song", "queued")}, Output()
    )

    assert {name: each.status for name, each in done.items()} == {"tale": "succeeded", "song": "failed"}
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if line.startswith("tale")] == [
        "tale queued",
        "tale running",
        "tale succeeded",
    ]
    assert "song succeeded" not in told


def test_ctrl_c_cancels_what_is_not_final():
    server = Server(tale=["succeeded"], song=["running", "Ctrl-C"])

    with pytest.raises(Interrupted):
        together.follow_together(
            server, {"tale": job("tale", "queued"), "song": job("song", "queued")}, Output()
        )

    assert server.cancelled == ["job_song"]
