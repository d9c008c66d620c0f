"""Which kills a storm consists of: the same ones for the same seed.

A kill is due when so many jobs have ended, not at a time of day: a slow machine gets as many kills a job as a
fast one, and a storm that brings everything to a halt waits until it has recovered.
"""

import random
from dataclasses import dataclass
from enum import StrEnum


class Victim(StrEnum):
    """What is killed with SIGKILL; MEANING says what each is."""

    ENGINE = "engine"
    HUNTED_ENGINE = "hunted engine"
    WORKER = "worker"
    API = "api"
    API_CHILD = "api child"
    STATE = "state server"
    BROKER = "broker"
    STORAGE = "s3 server"


MEANING = {
    Victim.ENGINE: "a worker's child that runs the model, whatever it was doing",
    Victim.HUNTED_ENGINE: "the engine that runs a long job, the most often crashed one first",
    Victim.WORKER: "a worker's parent process; its engine ends with it",
    Victim.API: "all of the API",
    Victim.API_CHILD: "the API's serving process, which its parent starts again",
    Victim.STATE: "Valkey with the records, its file synced at every write",
    Victim.BROKER: "Valkey with the doorbells, which comes back empty",
    Victim.STORAGE: "the S3 server",
}

SHARES = {
    Victim.ENGINE: 20,
    Victim.HUNTED_ENGINE: 20,
    Victim.WORKER: 25,
    Victim.API: 8,
    Victim.API_CHILD: 7,
    Victim.STATE: 10,
    Victim.STORAGE: 10,
}
"""Parts of a hundred of the planned kills; those of the broker come on top, one to twenty others."""

LONGEST_DOWN = {
    Victim.WORKER: 1.0,
    Victim.API: 2.0,
    Victim.STATE: 3.0,
    Victim.STORAGE: 3.0,
    Victim.BROKER: 3.0,
}
"""Seconds until the part is started again, at most; what has its own keeper comes back by itself."""


@dataclass(frozen=True)
class Kill:
    """One planned kill."""

    number: int
    victim: Victim
    due: int
    """How many jobs have ended when it comes."""
    choice: float
    """From 0 to 1: which of several such processes."""
    down_seconds: float


def make_plan(seed: int, jobs: int, kills: int) -> list[Kill]:
    """The kills in order. They stop a little before the end, so that recovery is seen to end, too."""
    dice = random.Random(seed)
    victims = dice.choices(list(SHARES), list(SHARES.values()), k=kills) + [Victim.BROKER] * (kills // 20)
    dice.shuffle(victims)
    dues = sorted(dice.randrange(round(jobs * 0.97)) for _ in victims)
    return [
        _kill(dice, number, *pair) for number, pair in enumerate(zip(victims, dues, strict=True), start=1)
    ]


def _kill(dice: random.Random, number: int, victim: Victim, due: int) -> Kill:
    return Kill(number, victim, due, dice.random(), round(dice.uniform(0, LONGEST_DOWN.get(victim, 0)), 2))


def body(seed: int, number: int, webhook: str | None) -> dict[str, object]:
    """Job `number` of a storm: mostly quick pictures, some texts, and one in a hundred long enough to be
    hunted.
    """
    return _work(seed, number) | {"metadata": {"number": number}} | ({"webhook": webhook} if webhook else {})


def _work(seed: int, number: int) -> dict[str, object]:
    dice = random.Random(f"{seed} {number}")
    if number % 100 == 0:
        return _picture(number, "steps=30 sleep=0.1")
    if dice.random() < 0.2:
        return {
            "kind": "text",
            "model": "test/fake-text",
            "inputs": {"prompt": f"job {number} sleep=0.005", "max_tokens": dice.randint(2, 10)},
        }
    return _picture(number, f"steps={dice.randint(1, 4)} sleep={dice.choice(['0.005', '0.01', '0.02'])}")


def _picture(number: int, words: str) -> dict[str, object]:
    return {
        "kind": "text-to-image",
        "model": "test/fake",
        "inputs": {"prompt": f"job {number} {words}", "seed": number, "width": 64, "height": 64},
    }


def is_long(number: int) -> bool:
    """Whether a job of this number is one of those that are hunted."""
    return number % 100 == 0
