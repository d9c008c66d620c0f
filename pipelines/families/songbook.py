"""Songbook: music written as notes by a small network, and played by a synthesizer of our own.

What it makes is a sound and its score. The network writes words (`pipelines.music.words`); prompts are read
by rule (`pipelines.music.prompts`), and fields of a request go before its prompt's words.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from pipelines.base import Capabilities, Output, Progress, Request
from pipelines.errors import InvalidInputs, Problem
from pipelines.families import _music
from pipelines.families import _torch as torch_support
from pipelines.music.choosing import likely_mood, whole_wish
from pipelines.music.continuing import joined, key_heard, readable
from pipelines.music.instruments import BY_PROGRAM, DRUMS, NAMES
from pipelines.music.mastering import master
from pipelines.music.prompts import Heard, hear, instrument
from pipelines.music.score import Score
from pipelines.music.synth import RATE, TAIL, render
from pipelines.music.wish import METRES, MOST_PITCHED, Wish
from pipelines.music.writer import Writer
from pipelines.outputs import Sound
from pipelines.seeds import output_seed

WRITTEN = 80
"""Percent of a piece's work that is writing; the rest is playing."""

MOST_BEGUN = 180.0
"""Seconds of a score that can be gone on from."""

MOST_NOTES = 6_000
MOST_PARTS = 12

TEMPO_NEAR = 0.02
"""Share by which a tempo may be off and still be the same."""

EXACT = 0.05
"""Seconds that a sound is cut or lengthened by so that it is exactly as long as was asked for."""

PLAYS = ", ".join(NAMES)


class Songbook:
    kinds: ClassVar = ("text-to-music", "continue-music")
    capabilities: ClassVar = Capabilities(
        max_batch=1, needs=("torch", "transformers", "safetensors", "numpy", "scipy", "pyloudnorm", "mido")
    )

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> Self:
        """The network saved in `weights`, a transformer or an LSTM."""
        with torch_support.load_errors_translated(weights):
            return cls(Writer.load(weights, device, torch_support.dtype_of(dtype, device)))

    def run(self, batch: list[Request], progress: Progress) -> list[list[Output]]:
        """Music for each request."""
        asked = [self.read(request) for request in batch]
        with torch_support.memory_errors_translated():
            return _Run(self.writer, asked, progress).outputs()

    def read(self, request: Request) -> "Asked":
        """What a request asks for; raises InvalidInputs."""
        inputs = request.inputs
        heard, problems = heard_of(inputs)
        problems += _music.unheard(inputs, "negative_prompt", "lyrics", "steps", "guidance")
        begin = None
        if "audio" in request.files:
            begin, more = _begun(request.files["audio"])
            problems += more
            if begin and not more:
                problems += _other_than(begin, inputs)
        if problems:
            raise InvalidInputs(problems)
        return Asked(request, heard, begin)


@dataclass(frozen=True)
class Asked:
    """A request, read."""

    request: Request
    heard: Heard
    begin: Score | None = None

    def wish(self, seed: int) -> Wish:
        """The whole wish for an output of this seed."""
        seconds = max(0.5, self.request.inputs.duration_seconds - TAIL)
        if self.begin is None:
            return whole_wish(self.heard, seconds, seed)
        begin = readable(self.begin)
        drums = (DRUMS,) if any(part.drums for part in begin.parts) else ()
        names = tuple(part.name for part in begin.parts if not part.drums)[:MOST_PITCHED]
        key = key_heard(self.begin)
        mode = key.split()[1]
        known = replace(
            self.heard,
            key=key,
            mode=mode,
            tempo=(begin.tempo, begin.tempo),
            metre=begin.metre,
            mood=self.heard.mood or likely_mood(mode, begin.tempo),
            instruments=names + drums,
        )
        return whole_wish(known, seconds, seed)


def heard_of(inputs: Any) -> tuple[Heard, list[Problem]]:
    """What the fields of a request ask for, and its prompt's words where a field is empty; and what is wrong
    with that."""
    heard = hear(inputs.prompt)
    problems: list[Problem] = []
    if inputs.instruments:
        found, problems = _named(inputs.instruments)
        heard = replace(heard, instruments=found, unknown=(), without=())
    elif heard.unknown:
        missing = " and ".join(heard.unknown)
        problems.append(Problem("/inputs/prompt", f"asks for {missing}; this model plays {PLAYS}"))
    elif len(set(heard.instruments) - {DRUMS}) > MOST_PITCHED:
        problems.append(Problem("/inputs/prompt", f"names more instruments than {MOST_PITCHED} and drums"))
    if inputs.key:
        heard = replace(heard, key=inputs.key, mode=inputs.key.split()[1])
    if inputs.tempo:
        heard = replace(heard, tempo=(inputs.tempo, inputs.tempo))
    if inputs.metre:
        heard = replace(heard, metre=inputs.metre)
    if heard.metre not in {None, *METRES}:
        field = "metre" if inputs.metre else "prompt"
        problems.append(Problem(f"/inputs/{field}", f"{heard.metre}: this model knows {', '.join(METRES)}"))
    return heard, problems


def _named(names: list[str]) -> tuple[tuple[str, ...], list[Problem]]:
    """Instruments by what they are called, each once; and what is wrong with the list."""
    found = [instrument(name) for name in names]
    problems = [
        Problem(f"/inputs/instruments/{place}", f"{name!r} is not known here; this model plays {PLAYS}")
        for place, (name, known) in enumerate(zip(names, found, strict=True))
        if known is None
    ]
    known = tuple(dict.fromkeys(name for name in found if name))
    if not problems and len(known) < len(names):
        problems.append(Problem("/inputs/instruments", "names an instrument twice"))
    if len(set(known) - {DRUMS}) > MOST_PITCHED:
        problems.append(Problem("/inputs/instruments", f"may be {MOST_PITCHED} at most, and drums"))
    if known == (DRUMS,):
        problems.append(Problem("/inputs/instruments", "must name one beside drums"))
    return known, problems


def _begun(path: Path) -> tuple[Score | None, list[Problem]]:
    """The score to go on from; and what is wrong with it."""
    try:
        begin = Score.from_midi(path.read_bytes())
    except ValueError as error:
        return None, [Problem("/inputs/audio", f"{error}; this model goes on from MIDI files only")]
    problems = []
    if begin.metre not in METRES:
        problems.append(f"is in {begin.metre}; this model knows {', '.join(METRES)}")
    if begin.seconds > MOST_BEGUN:
        problems.append(
            f"is {begin.seconds:.0f} seconds long; this model goes on from {MOST_BEGUN:g} at most"
        )
    if (notes := sum(len(part.notes) for part in begin.parts)) > MOST_NOTES:
        problems.append(f"has {notes:,} notes; this model goes on from {MOST_NOTES:,} at most")
    if len(begin.parts) > MOST_PARTS:
        problems.append(f"has {len(begin.parts)} parts; this model goes on from {MOST_PARTS} at most")
    if all(part.drums for part in begin.parts):
        problems.append("holds nothing but drums; this model goes on from what has a key")
    return begin, [Problem("/inputs/audio", detail) for detail in problems]


def _other_than(begin: Score, inputs: Any) -> list[Problem]:
    """Fields that ask for something else than the score that is gone on from has: a piece has one tempo."""
    problems = []
    if inputs.tempo and abs(inputs.tempo / begin.tempo - 1) > TEMPO_NEAR:
        problems.append(Problem("/inputs/tempo", f"the score goes on at its own tempo, {begin.tempo:g}"))
    if inputs.metre and inputs.metre != begin.metre:
        problems.append(Problem("/inputs/metre", f"the score goes on in its own metre, {begin.metre}"))
    key = key_heard(begin)
    if inputs.key and inputs.key != key:
        problems.append(Problem("/inputs/key", f"the score goes on in its own key, {key}"))
    if inputs.instruments:
        problems.append(Problem("/inputs/instruments", "the score goes on with its own instruments"))
    return problems


class _Run:
    """One batch: all rows, one after the other."""

    def __init__(self, writer: Writer, asked: list[Asked], progress: Progress) -> None:
        self.writer, self.asked, self.progress = writer, asked, progress
        self.stopped: set[int] = set()
        self.total = 100 * sum(one.request.inputs.n for one in asked)
        self.done = 0

    def outputs(self) -> list[list[Output]]:
        """The outputs of each request; none of one that was stopped."""
        made: dict[int, list[Output]] = {number: [] for number in range(len(self.asked))}
        for number, one in enumerate(self.asked):
            for index in range(one.request.inputs.n):
                if number not in self.stopped:
                    made[number].append(self._output(one, index))
                self.done += 100
        return [[] if number in self.stopped else outputs for number, outputs in made.items()]

    def _output(self, asked: Asked, index: int) -> Output:
        """One piece: written, played, mastered."""
        inputs = asked.request.inputs
        seed = output_seed(inputs.seed, index)
        wish = asked.wish(seed)
        score = self._written(asked, wish, seed)
        heard = master(render(score), RATE)
        self._tell(100)
        samples = round(inputs.duration_seconds * RATE)
        if abs(heard.shape[1] - samples) <= EXACT * RATE:
            heard = np.pad(heard, ((0, 0), (0, max(0, samples - heard.shape[1]))))[:, :samples]
        sound = Sound(np.ascontiguousarray(heard.T), RATE, score.to_midi())
        return Output(index, sound, seed, facts=facts_of(score, wish))

    def _written(self, asked: Asked, wish: Wish, seed: int) -> Score:
        begin, temperature = asked.begin, asked.request.inputs.temperature
        (score,) = self.writer.write(
            [wish],
            [seed],
            begin=readable(begin) if begin else None,
            progress=lambda done, of: self._tell(WRITTEN * done / of),
            **({} if temperature is None else {"temperature": temperature}),
        )
        return joined(begin, score) if begin else score

    def _tell(self, percent: float) -> None:
        """So much of this piece is done."""
        self.stopped |= self.progress(self.done + max(1, int(percent)), self.total)


def facts_of(score: Score, wish: Wish) -> dict[str, str | int | float]:
    """What is known of a piece beside its sound and its score."""
    names = dict.fromkeys(
        BY_PROGRAM.get(part.program, part.name or f"program {part.program}") if not part.drums else DRUMS
        for part in score.parts
        if part.notes
    )
    return {
        "key": score.key or "",
        "tempo": round(score.tempo, 3),
        "metre": score.metre,
        "mood": wish.mood or "",
        "instruments": ", ".join(names),
        "bars": score.bars,
    }
