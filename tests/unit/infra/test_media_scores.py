"""Scores that are uploaded: the notes stay, all else goes, and what is hostile is refused in time."""

import io
import struct
from pathlib import Path

import pytest
from mido import Message, MetaMessage, MidiFile, MidiTrack

from infra.media_check import BadMedia, CheckedMedia, UnsupportedMedia, check_media
from infra.media_child.limits import SCORE_BYTES, SCORE_EVENTS, SCORE_TRACKS

NOTE = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x40"
END = b"\x00\xff\x2f\x00"


def smf(*tracks: bytes, form: int = 1, division: int = 480, count: int | None = None) -> bytes:
    """A standard MIDI file, however wrong."""
    head = b"MThd" + struct.pack(">IHHH", 6, form, len(tracks) if count is None else count, division)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def check(data: bytes, folder: Path) -> CheckedMedia:
    sent = folder / "sent"
    sent.write_bytes(data)
    return check_media(sent, folder)


def song() -> bytes:
    """A quarter note at 60 beats a minute, after what should not be kept."""
    texts = MidiTrack([
        MetaMessage("track_name", name="a secret", time=0),
        MetaMessage("lyrics", text="a secret", time=120),
        Message("sysex", data=list(b"secret"), time=120),
        MetaMessage("set_tempo", tempo=1_000_000, time=0),
        MetaMessage("time_signature", numerator=3, denominator=4, time=0),
        MetaMessage("key_signature", key="F#m", time=0),
        Message("program_change", channel=3, program=42, time=0),
        Message("note_on", channel=3, note=60, velocity=90, time=240),
        Message("note_off", channel=3, note=60, velocity=0, time=480),
        MetaMessage("end_of_track", time=0),
    ])  # fmt: skip
    words = MidiTrack([MetaMessage("text", text="a secret"), MetaMessage("end_of_track")])
    buffer = io.BytesIO()
    MidiFile(type=1, ticks_per_beat=480, tracks=[texts, words]).save(file=buffer)
    return buffer.getvalue()


def test_notes_stay_at_their_times_and_texts_go(tmp_path: Path) -> None:
    checked = check(song(), tmp_path)

    assert (checked.media_type, checked.width, checked.frames) == ("audio/midi", None, None)
    assert checked.duration_seconds == pytest.approx(0.25 + 0.5 + 1.0)  # before the tempo, then at it
    assert b"secret" not in checked.path.read_bytes()
    (track,) = MidiFile(checked.path).tracks
    assert [event.type for event in track] == [
        "set_tempo",
        "time_signature",
        "key_signature",
        "program_change",
        "note_on",
        "note_off",
        "end_of_track",
    ]
    assert [event.time for event in track] == [240, 0, 0, 0, 240, 480, 0]


def test_what_is_stored_is_accepted_again_as_it_is(tmp_path: Path) -> None:
    once = check(song(), tmp_path).path.read_bytes()
    assert check(once, tmp_path).path.read_bytes() == once


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(smf(NOTE + END, form=2), "type", id="tracks that are not played together"),
        pytest.param(smf(NOTE + END, division=0xE728), "frames of film", id="SMPTE time"),
        pytest.param(smf(NOTE + END, division=0), "frames of film", id="no ticks"),
        pytest.param(smf(END), "no note", id="no note"),
        pytest.param(smf(), "no note", id="no track"),
        pytest.param(smf(*[NOTE + END] * (SCORE_TRACKS + 1)), "tracks", id="too many tracks"),
        pytest.param(smf(NOTE * (SCORE_EVENTS // 2 + 1)), "events", id="too many events"),
        pytest.param(smf(NOTE) + bytes(SCORE_BYTES), "larger", id="too large"),
        pytest.param(smf(NOTE + b"\xff\xff\xff\x7f\x80\x3c\x40" + END), "longer", id="too long"),
        pytest.param(smf(b"\x00\xff\x51\x03\x00\x00\x00" + NOTE + END), "tempo", id="no time for a beat"),
        pytest.param(
            smf(b"\x00\xff\x58\x04\x04\xff\x18\x08" + NOTE + END), "time signature", id="2^255th notes"
        ),
        pytest.param(smf(NOTE + END)[:-6], "", id="cut off"),
        pytest.param(smf(NOTE + END, count=60_000), "", id="tracks that are not there"),
        pytest.param(b"MThd" + struct.pack(">I", 2**32 - 1) + bytes(64), "", id="a header of 4 GiB"),
        pytest.param(smf(b"\x00\x3c\x40" + END), "", id="running status of nothing"),
        pytest.param(smf(b"\x00\xff\x59\x02\x7f\x05" + NOTE + END), "", id="127 sharps"),
        pytest.param(smf(b"\x00\xf0\xff\xff\xff\x7f" + NOTE), "", id="256 MiB for a device"),
        pytest.param(b"MThd", "", id="four letters"),
    ],
)
def test_what_is_no_score_is_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(BadMedia, match=reason or "The (file|score)") as caught:
        check(data, tmp_path)
    assert len(str(caught.value)) < 300


def test_a_score_in_another_s_clothes(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia):
        check(b"RIFF\x00\x00\x00\x00RMIDdata" + smf(NOTE + END), tmp_path)
