"""Says what a clip shows from its pixels alone, and whether that obeys a wording.

Nothing here is learned. Each frame is looked at by the scenes' judge; what most frames agree on is the thing,
its colour and the backgrounds at both ends. From there the thing is followed: in each frame its coverage is
what lies between the background and its colour, whose sum is its area and whose centre is its place. A motion
is what the track of places, areas and absences says; every motion has a rule of its own, and a clip that
fits no rule, or two, has none. It knows nothing of the model that made the clip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipelines.training.motion.captions import Wording
from pipelines.training.motion.paths import MIDDLE
from pipelines.training.motion.world import ACROSS, ALONG, LIGHT
from pipelines.training.scenes.judge import Sight, look
from pipelines.training.scenes.vocabulary import COLOURS, PLACES, SIDE, background_pixels

AGREED = 0.7  # share of the frames in which a thing is recognised that must agree on its name and colour
NAMED = 3  # frames at least in which it must be recognised
CROWDED = 2  # frames at most that may show a second thing
AREA = 20.0  # pixels that a thing covers at least, or it is not there
ENDS = 3  # frames at each end whose mean is taken
WAY = 24.0  # pixels that what moves must go, of the 38 between the edges' places
STRAY = 7.0  # pixels that it may move otherwise
SWOLLEN = 2.2  # how much larger what grows must become, in area
STEADY = 1.7  # and how much everything else may
TURN = 1.5 * np.pi  # radians that an orbit must sweep
NEAREST = 7.0  # pixels from the middle, inside which nothing orbits
PLACE_REACH = 11.0  # pixels


@dataclass(frozen=True)
class Track:
    """The thing, frame by frame: middle in pixels, area in pixels; not a number where it is not seen."""

    x: np.ndarray
    y: np.ndarray
    area: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        return ~np.isnan(self.area)


@dataclass(frozen=True)
class Seen:
    """All that the judge sees in a clip; None for what the frames do not agree on."""

    name: str | None = None
    colour: str | None = None
    background: str | None = None  # of the first frames
    ends_on: str | None = None  # of the last frames
    motion: str | None = None
    place: tuple[float, float] | None = None  # mean of all places, pixels


def obeys(frames: np.ndarray, wording: Wording) -> bool:
    """Whether the clip (frames, SIDE, SIDE, 3) uint8 shows all that the wording says."""
    return not faults(watch(frames), wording)


def faults(seen: Seen, wording: Wording) -> list[str]:
    """What the wording says and the clip does not show."""
    first, last = LIGHT.get(wording.motion or "", (wording.background, wording.background))
    wrong = {
        "thing": seen.name != wording.name,
        "colour": wording.colour not in (None, seen.colour),
        "background": first not in (None, seen.background) or last not in (None, seen.ends_on),
        "motion": wording.motion not in (None, seen.motion),
        "place": wording.place is not None and not _placed(seen, wording),
    }
    return [name for name, is_wrong in wrong.items() if is_wrong]


def watch(frames: np.ndarray) -> Seen:
    """What the clip shows."""
    sights = [look(frame) for frame in frames]
    first, last = _backgrounds(sights[:ENDS]), _backgrounds(sights[-ENDS:])
    changes = first != last  # then only the ends have backgrounds that the scenes' judge knows
    thing = _thing(sights[:2] + sights[-2:] if changes else sights)
    if thing is None or first is None or last is None:
        return Seen(None, None, first, last)
    name, colour = thing
    track = follow(frames, first, last, colour)
    fitting = [motion for motion, fits in RULES.items() if fits(track, first, last)]
    motion = fitting[0] if len(fitting) == 1 else None
    return Seen(name, colour, first, last, motion, _middle(track))


def follow(frames: np.ndarray, first: str, last: str, colour: str) -> Track:
    """Where the colour stands out from the background, which may turn from one into another."""
    before, change = background_pixels(first), background_pixels(last) - background_pixels(first)
    rows = []
    for frame in frames.astype(np.float32):
        empty = before
        if first != last:
            empty = before + _light_of(frame, before, change) * change
        rows.append(_measured(frame, empty, colour))
    return Track(*np.array(rows, np.float64).T)


def _light_of(frame: np.ndarray, before: np.ndarray, change: np.ndarray) -> float:
    """How far the background has changed: what most pixels say."""
    shares = ((frame - before) * change).sum(-1) / np.maximum((change * change).sum(-1), 1.0)
    return float(np.clip(np.median(shares), 0, 1))


def _backgrounds(sights: Sequence[Sight]) -> str | None:
    """The one that most of these frames show, if that is more than half of them."""
    (name, count), *_ = Counter(sight.background for sight in sights).most_common()
    return name if count > len(sights) / 2 else None


def _thing(sights: Sequence[Sight]) -> tuple[str, str] | None:
    """(name, colour) of the only thing, as most frames that recognise one have it."""
    if sum(len(sight.things) > 1 for sight in sights) > CROWDED:
        return None
    alone = [sight.things[0] for sight in sights if len(sight.things) == 1]
    found = [(thing.name, thing.colour) for thing in alone if thing.name]
    if len(found) < NAMED:
        return None
    (thing, count), *_ = Counter(found).most_common()
    return thing if count >= AGREED * len(found) else None


def _measured(frame: np.ndarray, empty: np.ndarray, colour: str) -> tuple[float, float, float]:
    """x, y and area of what has the colour and not the background's; not numbers where nothing has."""
    span = np.array(COLOURS[colour], np.float32) - empty
    away = frame - empty
    share = (away * span).sum(-1) / (span * span).sum(-1)
    off = np.linalg.norm(away - share[..., None] * span, axis=-1)
    covered = np.where((off < 60) & (share > 0.35), np.clip(share, 0, 1), 0)
    area = float(covered.sum())
    if area < AREA:
        return np.nan, np.nan, np.nan
    line = np.arange(SIDE)
    return float(covered.sum(0) @ line / area), float(covered.sum(1) @ line / area), area


def _middle(track: Track) -> tuple[float, float] | None:
    return (float(np.nanmean(track.x)), float(np.nanmean(track.y))) if track.seen.any() else None


def _placed(seen: Seen, wording: Wording) -> bool:
    """Whether it keeps to the place said, in the direction in which it does not move."""
    if seen.place is None:
        return False
    (x, y), (at_x, at_y) = seen.place, PLACES[wording.place]
    if wording.motion in ACROSS:
        return abs(y - at_y) <= PLACE_REACH
    if wording.motion in ALONG:
        return abs(x - at_x) <= PLACE_REACH
    return bool(np.hypot(x - at_x, y - at_y) <= PLACE_REACH)


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Means of the first and of the last few numbers."""
    known = values[~np.isnan(values)]
    return (float(known[:ENDS].mean()), float(known[-ENDS:].mean())) if len(known) else (np.nan, np.nan)


def _way(track: Track) -> tuple[float, float]:
    (x, to_x), (y, to_y) = _ends(track.x), _ends(track.y)
    return to_x - x, to_y - y


def _swelling(track: Track) -> float:
    first, last = _ends(track.area)
    return last / first


def _is_whole(track: Track) -> bool:
    """Seen nearly all the time, in about the same size."""
    return bool(track.seen.mean() >= 0.8 and 1 / STEADY <= _swelling(track) <= STEADY)


def _goes(across: int, down: int) -> Callable[[Track, str, str], bool]:
    def fits(track: Track, first: str, last: str) -> bool:
        x, y = _way(track)
        along, aside = (x * across, y) if across else (y * down, x)
        path = track.x if across else track.y
        steps = np.diff(path[~np.isnan(path)]) * (across + down)
        straight = along >= WAY and abs(aside) <= STRAY and (steps > -2).mean() >= 0.85
        return first == last and _is_whole(track) and bool(straight)

    return fits


def _changes(least: float, most: float) -> Callable[[Track, str, str], bool]:
    def fits(track: Track, first: str, last: str) -> bool:
        x, y = _way(track)
        stays = track.seen.mean() >= 0.8 and max(abs(x), abs(y)) <= STRAY
        return first == last and bool(stays) and least <= _swelling(track) <= most

    return fits


def _orbits(track: Track, first: str, last: str) -> bool:
    across, down = track.x[track.seen] - MIDDLE, track.y[track.seen] - MIDDLE
    if first != last or not _is_whole(track) or (np.hypot(across, down) < NEAREST).mean() > 0.2:
        return False
    angles = np.unwrap(np.arctan2(down, across))
    return bool(abs(angles[-1] - angles[0]) >= TURN)


def _blinks(track: Track, first: str, last: str) -> bool:
    """Gone at least twice, or gone and back again, each for more than a frame; and at one place."""
    runs = np.split(track.seen, np.flatnonzero(np.diff(track.seen)) + 1)
    runs = [run for run in runs if len(run) > 1]
    switches = sum(bool(a[0] != b[0]) for a, b in pairwise(runs))
    still = np.nanmax([np.nanstd(track.x), np.nanstd(track.y)]) <= STRAY if track.seen.any() else False
    return first == last and switches >= 2 and bool(still)


def _light(before: str, after: str) -> Callable[[Track, str, str], bool]:
    def fits(track: Track, first: str, last: str) -> bool:
        x, y = _way(track)
        there = track.seen.mean() >= 0.8 and max(abs(x), abs(y)) <= STRAY
        return (first, last) == (before, after) and bool(there)

    return fits


RULES: dict[str, Callable[[Track, str, str], bool]] = {
    "rightwards": _goes(1, 0),
    "leftwards": _goes(-1, 0),
    "rising": _goes(0, -1),
    "falling": _goes(0, 1),
    "growing": _changes(SWOLLEN, 100.0),
    "shrinking": _changes(0.01, 1 / SWOLLEN),
    "orbiting": _orbits,
    "blinking": _blinks,
    **{motion: _light(*ends) for motion, ends in LIGHT.items()},
}
