"""Scores: standard MIDI files in; out the same notes in a file of the same sort, and nothing else."""

from typing import Any, BinaryIO

from mido import MetaMessage, MidiFile, MidiTrack, merge_tracks, tick2second

from infra.media_child.answer import Unfit, Written
from infra.media_child.limits import SCORE_BYTES, SCORE_EVENTS, SCORE_TRACKS, SOUND_SECONDS

KEPT = frozenset({
    "note_on",
    "note_off",
    "program_change",
    "control_change",
    "pitchwheel",
    "polytouch",
    "aftertouch",
    "set_tempo",
    "time_signature",
    "key_signature",
})  # fmt: skip
"""What is music. Texts, data of devices and of programs are left out."""

TEMPOS = (60_000, 6_000_000)  # microseconds a beat: 1,000 to 10 beats a minute
USUAL_TEMPO = 500_000


def rewrite(source: BinaryIO, target: BinaryIO, sniffed: str) -> Written:
    """Read `source` completely and write its notes to `target`."""
    if len(source.read(SCORE_BYTES + 1)) > SCORE_BYTES:
        raise Unfit(f"The score is larger than {SCORE_BYTES:,} bytes.")
    source.seek(0)
    given = MidiFile(file=source)
    _check(given)
    tracks = [kept for track in given.tracks if (kept := _music(track))]
    seconds = _length(tracks, given.ticks_per_beat)
    if seconds > SOUND_SECONDS:
        raise Unfit(f"The score is longer than {SOUND_SECONDS:g} seconds.")
    written = MidiFile(type=min(1, given.type), ticks_per_beat=given.ticks_per_beat, tracks=tracks)
    written.save(file=target)
    return Written(sniffed, duration_seconds=round(seconds, 3))


def _check(given: MidiFile) -> None:
    if given.type not in (0, 1):
        raise Unfit("The score is of a type that is not accepted: its tracks are not played together.")
    if not 1 <= given.ticks_per_beat < 0x8000:
        raise Unfit("The score counts time by frames of film, which is not accepted.")
    if len(given.tracks) > SCORE_TRACKS:
        raise Unfit(f"The score has {len(given.tracks)} tracks, not {SCORE_TRACKS} at most.")
    if sum(len(track) for track in given.tracks) > SCORE_EVENTS:
        raise Unfit(f"The score has more than {SCORE_EVENTS:,} events.")
    if not any(event.type == "note_on" for track in given.tracks for event in track):
        raise Unfit("The score holds no note.")


def _music(track: MidiTrack) -> MidiTrack:
    """The events that are music, each at its own time; empty if there are none."""
    kept, waited = MidiTrack(), 0
    for event in track:
        waited += event.time
        if event.type in KEPT:
            kept.append(_checked(event).copy(time=waited))
            waited = 0
    if kept:
        kept.append(MetaMessage("end_of_track", time=waited))
    return kept


def _checked(event: Any) -> Any:
    slowest, fastest = TEMPOS[1], TEMPOS[0]
    if event.type == "set_tempo" and not fastest <= event.tempo <= slowest:
        raise Unfit("The score has a tempo that nobody can play.")
    if event.type == "time_signature" and not (1 <= event.numerator <= 64 and event.denominator <= 64):
        raise Unfit("The score has a time signature that nobody can play.")
    return event


def _length(tracks: list[MidiTrack], ticks_per_beat: int) -> float:
    """Seconds from the first event to the last."""
    seconds, tempo = 0.0, USUAL_TEMPO
    for event in merge_tracks(tracks):
        seconds += tick2second(event.time, ticks_per_beat, tempo)
        if event.type == "set_tempo":
            tempo = event.tempo
    return seconds
