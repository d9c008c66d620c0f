"""A synthesizer: a score in, stereo sound out. The same score is the same samples, bit for bit."""

from collections import defaultdict
from collections.abc import Iterator

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

LOUDER = 1.4
"""A note's level goes with this power of its velocity."""

UNEVEN = 0.004
"""Seconds by which players come too early or too late, as a deviation; a score's first note never early."""


def render(score: Score, rate: int = RATE) -> Wave:
    """The sound of a score, (2, samples): its length and TAIL, at the end of which nothing is heard."""
    samples = round((score.seconds + TAIL) * rate)
    dry, sent = (np.zeros((2, samples), np.float32) for _ in range(2))
    for number, part in enumerate(score.parts):
        band = _Drummer(score, part, number, rate) if part.drums else _Player(score, part, number, rate)
        band.play(dry, sent)
    heard = dry + echoed(sent, rate)
    fading = round(0.2 * rate)
    heard[:, -fading:] *= np.linspace(1, 0, fading, dtype=np.float32)
    return heard


class _Band:
    """What plays one part into the two waves: what is heard at once, and what the room is sent."""

    def __init__(self, score: Score, part: Part, number: int, rate: int) -> None:
        self.score, self.part, self.rate = score, part, rate
        self.dice = np.random.default_rng(number)

    def play(self, dry: Wave, sent: Wave) -> None:
        for note, begin in self._notes():
            wave, room = self.wave(note)
            length = min(wave.shape[1], dry.shape[1] - begin)
            wave = wave[:, :length] * np.float32((note.velocity / 100) ** LOUDER)
            dry[:, begin : begin + length] += wave
            sent[:, begin : begin + length] += wave * np.float32(room)

    def wave(self, note: Note) -> tuple[Wave, float]:
        """The note as (2, samples), and how much of it the room gives back."""
        raise NotImplementedError

    def _notes(self) -> Iterator[tuple[Note, int]]:
        """Each note and its first sample."""
        late = self.dice.normal(0, UNEVEN, len(self.part.notes)).clip(-2 * UNEVEN, 2 * UNEVEN)
        for note, seconds in zip(self.part.notes, late, strict=True):
            yield note, max(0, round((self.score.seconds_at(note.start) + seconds) * self.rate))


class _Drummer(_Band):
    def __init__(self, score: Score, part: Part, number: int, rate: int) -> None:
        super().__init__(score, part, number, rate)
        self.strokes = {key: self._stroke(key) for key in sorted({note.pitch for note in part.notes})}

    def wave(self, note: Note) -> tuple[Wave, float]:
        return self.strokes[note.pitch]

    def _stroke(self, key: int) -> tuple[Wave, float]:
        drum = DRUMS.get(key, OTHERWISE)
        sides = np.array(seats(drum.pan), np.float32)[:, None]
        return strike(key, self.rate) * sides * DRUM_LEVEL, drum.room


DRUM_LEVEL = np.float32(0.9)
"""Of a drum's peak, beside tones of which the effective value is 1."""

LEVEL = 0.2
"""Of a tone's effective value."""


class _Player(_Band):
    def __init__(self, score: Score, part: Part, number: int, rate: int) -> None:
        super().__init__(score, part, number, rate)
        self.voice: Voice = VOICES[part.program]
        self.tones = self._tones()

    def wave(self, note: Note) -> tuple[Wave, float]:
        held = self._held(note)
        tone = self.tones[note.pitch, force_of(note.velocity)][:, : held + self._released]
        wave = tone * self._ending(held)[: tone.shape[1]]
        pan = self.voice.pan + self.voice.wide * np.clip((note.pitch - 62) / 40, -1, 1)
        sides = np.array(seats(float(np.clip(pan, -1, 1))), np.float32)[:, None]
        return wave * sides * np.float32(LEVEL * 10 ** (self.voice.gain / 20)), self.voice.room

    def _tones(self) -> dict[tuple[int, float], Wave]:
        """Each tone that is needed, as long as the longest note of it, by pitch and force."""
        longest: defaultdict[tuple[int, float], int] = defaultdict(int)
        for note in self.part.notes:
            played = note.pitch, force_of(note.velocity)
            longest[played] = max(longest[played], self._held(note) + self._released)
        return {
            (pitch, force): Tone(self.voice, pitch, force, samples, self.rate).wave()
            for (pitch, force), samples in longest.items()
        }

    def _held(self, note: Note) -> int:
        return round(self.score.seconds_at(note.length) * self.rate)

    @property
    def _released(self) -> int:
        return round(self.voice.release * self.rate)

    def _ending(self, held: int) -> Wave:
        """1 for as long as the key is down, then to silence."""
        going = np.ones(held + self._released, np.float32)
        left = np.linspace(1, 0, self._released, endpoint=False, dtype=np.float32)
        going[held:] = left**2 if self.voice.fade == HELD else left**3
        return going
