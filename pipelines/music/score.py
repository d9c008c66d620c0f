"""A score: who plays which notes, and the standard MIDI file that says the same."""

import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import mido

TICKS = 12
"""Ticks of a quarter note: sixteenths are 3, eighths 6, triplet eighths 4."""

DRUM_CHANNEL = 9
"""The channel of General MIDI whose keys are drums (counted from 0)."""

_MIDI_TICKS = 40
"""Ticks of a MIDI file in one of ours."""

_MIDI_PARTS = 15
"""Channels for parts with pitches."""


@dataclass(frozen=True, order=True)
class Note:
    """One note of a part."""

    start: int
    """Ticks from the beginning of the piece."""
    length: int
    """Ticks, at least 1."""
    pitch: int
    """MIDI key, 0 to 127; 60 is middle C. In a drum part, the drum of General MIDI's map."""
    velocity: int
    """How strongly it is played, 1 to 127."""

    @property
    def end(self) -> int:
        """The tick at which it has ended."""
        return self.start + self.length


@dataclass(frozen=True)
class Part:
    """The notes of one instrument."""

    name: str
    program: int
    """General MIDI's program, 0 to 127."""
    notes: tuple[Note, ...]
    """By their start."""
    drums: bool = False


@dataclass(frozen=True)
class Score:
    """A piece of one tempo, one metre and one key."""

    tempo: float
    """Quarter notes a minute, in every metre, as MIDI counts."""
    metre: str
    """Such as `3/4`."""
    key: str | None
    """Such as `Eb major`; None where nobody has said."""
    parts: tuple[Part, ...]
    bars: int

    @property
    def bar(self) -> int:
        """Ticks of a bar."""
        return bar_ticks(self.metre)

    @property
    def ticks(self) -> int:
        """Length of the piece in ticks."""
        return self.bars * self.bar

    @property
    def seconds(self) -> float:
        """Length of the piece, without what rings on."""
        return self.seconds_at(self.ticks)

    def seconds_at(self, tick: float) -> float:
        """When a tick comes, in seconds."""
        return tick / TICKS * 60 / self.tempo

    def to_midi(self) -> bytes:
        """A standard MIDI file of type 1: a track that says tempo, metre and key, then a track a part.

        Raises ValueError for more parts with pitches than MIDI has channels.
        """
        if sum(not part.drums for part in self.parts) > _MIDI_PARTS:
            raise ValueError(f"a MIDI file holds {_MIDI_PARTS} parts with pitches, not {len(self.parts)}")
        file = mido.MidiFile(type=1, ticks_per_beat=TICKS * _MIDI_TICKS)
        file.tracks.append(_head(self))
        channels = iter(channel for channel in range(16) if channel != DRUM_CHANNEL)
        for part in self.parts:
            file.tracks.append(_track(part, DRUM_CHANNEL if part.drums else next(channels), self.ticks))
        data = io.BytesIO()
        file.save(file=data)
        return data.getvalue()

    @classmethod
    def from_midi(cls, data: bytes) -> "Score":
        """The score of a MIDI file, rounded to ticks; a part is what one channel of one track plays with
        one program. The first tempo, metre and key are taken for the whole. Raises ValueError for bytes
        that are not a MIDI file, and for one without notes.
        """
        try:
            file = mido.MidiFile(file=io.BytesIO(data))
        except (OSError, EOFError, ValueError, KeyError, IndexError) as error:
            raise ValueError(f"this is not a standard MIDI file: {error}") from error
        if file.ticks_per_beat <= 0 or file.ticks_per_beat >= 0x8000:
            raise ValueError("this MIDI file counts frames, not beats")
        parts = _read_parts(file)
        if not parts:
            raise ValueError("this MIDI file has no notes")
        tempo, metre, key = _read_head(file)
        bar = bar_ticks(metre)
        end = max(note.end for part in parts for note in part.notes)
        return cls(tempo, metre, key, tuple(parts), -(-end // bar))


def bar_ticks(metre: str) -> int:
    """Ticks of a bar; raises ValueError where that is no whole number or the metre is no metre."""
    beats, _, unit = metre.partition("/")
    if not (beats.isdigit() and unit.isdigit() and int(beats) and int(unit)):
        raise ValueError(f"{metre!r} is no metre")
    ticks = Fraction(4 * TICKS * int(beats), int(unit))
    if ticks.denominator != 1:
        raise ValueError(f"a bar of {metre} is no whole number of ticks")
    return int(ticks)


def bars_for(seconds: float, tempo: float, metre: str) -> int:
    """How many whole bars come nearest to so many seconds; at least one."""
    return max(1, round(seconds * tempo / 60 * TICKS / bar_ticks(metre)))


def _head(score: Score) -> mido.MidiTrack:
    beats, unit = map(int, score.metre.split("/"))
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("time_signature", numerator=beats, denominator=unit))
    if score.key:
        tonic, mode = score.key.split()
        track.append(mido.MetaMessage("key_signature", key=tonic + ("m" if mode == "minor" else "")))
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(score.tempo)))
    track.append(mido.MetaMessage("end_of_track", time=score.ticks * _MIDI_TICKS))
    return track


def _track(part: Part, channel: int, end: int) -> mido.MidiTrack:
    """Ends come before beginnings of the same tick, so that a repeated key sounds again."""
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name=part.name))
    track.append(mido.Message("program_change", channel=channel, program=part.program))
    events = [(note.start, 1, note.pitch, note.velocity) for note in part.notes]
    events += [(note.end, 0, note.pitch, 0) for note in part.notes]
    now = 0
    for tick, begins, pitch, velocity in sorted(events):
        kind = "note_on" if begins else "note_off"
        time = (tick - now) * _MIDI_TICKS
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=time))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - now) * _MIDI_TICKS))
    return track


def _read_head(file: mido.MidiFile) -> tuple[float, str, str | None]:
    """The first tempo, metre and key of any track; MIDI's own defaults where nothing is said."""
    said: dict[str, mido.MetaMessage] = {}
    for track in file.tracks:
        for message in track:
            if message.type in {"set_tempo", "time_signature", "key_signature"}:
                said.setdefault(message.type, message)
    tempo = mido.tempo2bpm(said["set_tempo"].tempo) if "set_tempo" in said else 120.0
    metre = "4/4"
    if "time_signature" in said:
        metre = f"{said['time_signature'].numerator}/{said['time_signature'].denominator}"
    key = None
    if "key_signature" in said:
        name = said["key_signature"].key
        key = f"{name.removesuffix('m')} {'minor' if name.endswith('m') else 'major'}"
    return round(tempo, 3), metre, key


def _read_parts(file: mido.MidiFile) -> list[Part]:
    """Every channel's notes by track and program, in the order in which they first play."""
    scale = Fraction(TICKS, file.ticks_per_beat)
    notes: defaultdict[tuple[int, int, int], list[Note]] = defaultdict(list)
    names: dict[int, str] = {}
    programs = [0] * 16
    for number, track in enumerate(file.tracks):
        names[number] = next((m.name for m in track if m.type == "track_name"), "")
        for channel, program, note in _read_track(track, programs, scale):
            notes[number, channel, program].append(note)
    return [
        Part(names[number], program, tuple(sorted(played)), channel == DRUM_CHANNEL)
        for (number, channel, program), played in notes.items()
    ]


def _read_track(
    track: mido.MidiTrack, programs: list[int], scale: Fraction
) -> Iterable[tuple[int, int, Note]]:
    """Channel, program and note, as each ends; what never ends is ended with the track."""
    now = 0
    open_notes: defaultdict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(list)
    for message in track:
        now += message.time
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type == "note_on" and message.velocity:
            held = (now, message.velocity, programs[message.channel])
            open_notes[message.channel, message.note].append(held)
        elif message.type in {"note_on", "note_off"} and open_notes[message.channel, message.note]:
            begun, velocity, program = open_notes[message.channel, message.note].pop(0)
            yield message.channel, program, _note(begun, now, message.note, velocity, scale)
    for (channel, pitch), held_notes in open_notes.items():
        for begun, velocity, program in held_notes:
            yield channel, program, _note(begun, now, pitch, velocity, scale)


def _note(begun: int, ended: int, pitch: int, velocity: int, scale: Fraction) -> Note:
    start = round(begun * scale)
    return Note(start, max(1, round(ended * scale) - start), pitch, velocity)
