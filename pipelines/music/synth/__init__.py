"""A synthesizer: a score in, stereo sound out.

The same score is the same samples, bit for bit, on machines with equally many cores: products of matrices are
rounded otherwise when more threads share them.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from pipelines.music.score import Note, Part, Score
from pipelines.music.synth.drums import DRUMS, OTHERWISE, strike
from pipelines.music.synth.partials import Wave
from pipelines.music.synth.room import SECONDS, echoed, seats
from pipelines.music.synth.tones import Tone, force_of
from pipelines.music.synth.voices import HELD, VOICES, Voice

RATE = 44_100
"""Samples a second."""

TAIL = SECONDS + 0.4
"""Seconds after the score's end, in which what rings on dies away."""

LOUDER = 1.6
"""A note's level goes with this power of its velocity."""

CROWDED = 0.35
"""Notes of a chord are softer by this power of how many begin together, so that a tune stands before them."""

LEVEL = 0.2
"""Effective value of a tone at its loudest."""

DRUM_LEVEL = np.float32(0.9)
"""Peak of a drum at its loudest."""

LONGEST = 20.0
"""Seconds for which anyone can hold a note."""

UNEVEN = 0.004
"""Seconds by which players come too early or too late, as a deviation; nothing comes before the beginning."""

UNEVEN_LEVEL = 0.05
"""Share by which they play too softly or too loudly, as a deviation."""

TURNS = 3
"""In how many ways each note is played, in turn."""


def render(score: Score, rate: int = RATE) -> Wave:
    """The sound of a score, (2, samples): its length and TAIL, at the end of which nothing is heard."""
    samples = round((score.seconds + TAIL) * rate)
    stage = _Stage(*(np.zeros((2, samples), np.float32) for _ in range(2)))
    for number, part in enumerate(score.parts):
        band = _Drummer(score, part, number, rate) if part.drums else _Player(score, part, number, rate)
        band.play(stage)
    heard = stage.dry + echoed(stage.sent, rate)
    fading = round(0.2 * rate)
    heard[:, -fading:] *= np.linspace(1, 0, fading, dtype=np.float32)
    return heard


@dataclass(frozen=True)
class _Stage:
    """What is heard at once, and what the room is sent; both (2, samples)."""

    dry: Wave
    sent: Wave

    def add(self, wave: Wave, begin: int, room: float) -> None:
        length = max(0, min(wave.shape[1], self.dry.shape[1] - begin))
        self.dry[:, begin : begin + length] += wave[:, :length]
        self.sent[:, begin : begin + length] += wave[:, :length] * np.float32(room)


class _Band:
    """Whoever plays one part. Notes with the same sound are played one after the other, so that only one
    sound is in memory at a time.
    """

    def __init__(self, score: Score, part: Part, number: int, rate: int) -> None:
        self.score, self.notes, self.rate = score, part.notes, rate
        dice = np.random.default_rng(number)
        late, strong = dice.normal(size=(2, len(part.notes))).clip(-2, 2)
        self.begins = [
            max(0, round((score.seconds_at(note.start) + UNEVEN * more) * rate))
            for note, more in zip(part.notes, late, strict=True)
        ]
        self.levels = [
            np.float32((note.velocity / 100) ** LOUDER * (1 + UNEVEN_LEVEL * more))
            for note, more in zip(part.notes, strong, strict=True)
        ]

    def play(self, stage: _Stage) -> None:
        sounds: defaultdict[Hashable, list[int]] = defaultdict(list)
        for place, note in enumerate(self.notes):
            sounds[self.sound(note)].append(place)
        for places in sounds.values():
            for turn in range(min(TURNS, len(places))):
                self.play_alike(places[turn::TURNS], turn, stage)

    def sound(self, note: Note) -> Hashable:
        """Equal for notes that are played with one wave."""
        raise NotImplementedError

    def play_alike(self, places: list[int], turn: int, stage: _Stage) -> None:
        """Play the notes at these places, which have one sound."""
        raise NotImplementedError


class _Drummer(_Band):
    def sound(self, note: Note) -> Hashable:
        return note.pitch

    def play_alike(self, places: list[int], turn: int, stage: _Stage) -> None:
        key = self.notes[places[0]].pitch
        drum = DRUMS.get(key, OTHERWISE)
        wave = strike(key, self.rate, turn) * _sides(drum.pan) * DRUM_LEVEL
        for place in places:
            stage.add(wave * self.levels[place], self.begins[place], drum.room)


class _Player(_Band):
    def __init__(self, score: Score, part: Part, number: int, rate: int) -> None:
        super().__init__(score, part, number, rate)
        self.voice: Voice = VOICES[part.program]
        self.released = round(self.voice.release * rate)
        self.together = Counter(note.start for note in part.notes)

    def sound(self, note: Note) -> Hashable:
        return note.pitch, force_of(note.velocity)

    def play_alike(self, places: list[int], turn: int, stage: _Stage) -> None:
        voice, notes = self.voice, [self.notes[place] for place in places]
        pitch, force = notes[0].pitch, force_of(notes[0].velocity)
        longest = max(map(self._held, notes)) + self.released
        tone = Tone(voice, pitch, force, longest, self.rate, turn).wave()
        pan = float(np.clip(voice.pan + voice.wide * (pitch - 62) / 40, -1, 1))
        tone = tone * _sides(pan) * np.float32(LEVEL * 10 ** (voice.gain / 20))
        for note, place in zip(notes, places, strict=True):
            crowd = np.float32(self.together[note.start] ** -CROWDED)
            ending = self._ending(self._held(note)) * (self.levels[place] * crowd)
            stage.add(tone[:, : len(ending)] * ending, self.begins[place], voice.room)

    def _held(self, note: Note) -> int:
        """Samples for which the key is down."""
        return round(min(self.score.seconds_at(note.length), LONGEST) * self.rate)

    def _ending(self, held: int) -> Wave:
        """1 for as long as the key is down, then to silence."""
        going = np.ones(held + self.released, np.float32)
        ended = np.arange(self.released, dtype=np.float32) / self.released
        going[held:] = (0.5 + 0.5 * np.cos(np.pi * ended)) ** (1 if self.voice.fade == HELD else 2)
        return going


def _sides(pan: float) -> Wave:
    return np.array(seats(pan), np.float32)[:, None]
