"""How each instrument sounds, in numbers. `tones` makes waves of them.

The numbers come from what is known of the instruments (where strings are struck, how bars ring, which
frequencies a body strengthens) and were then set by spectrograms and by measured loudness.
"""

from dataclasses import dataclass, replace

HELD = float("inf")
"""The fade of a tone that sounds for as long as it is played."""


@dataclass(frozen=True)
class Voice:
    """The sound of one instrument."""

    # Which partials there are, and how strong

    tilt: float = 1.0
    """Partial k has the level k to the power of −tilt, before all else."""
    even: float = 1.0
    """What the even partials have of that; pipes that are closed at one end have few."""
    pluck: float = 0.0
    """Where the string is struck or plucked, as a share of its length; 0: it is not."""
    stretch: float = 0.0
    """Stiffness: partial k is higher than k by k² times half of this, as a share of itself."""
    bars: tuple[tuple[float, float, float], ...] = ()
    """For what is no string or pipe: each partial's frequency, level, and fade as shares of the first's."""
    cutoff: float = 6_000.0
    """Hertz above which partials are weaker; an octave more or less as it is played loudly or softly."""
    slope: float = 2.0
    """How much weaker: the level falls with this power of the frequency."""
    body: tuple[tuple[float, float, float], ...] = ()
    """Resonances that everything passes through: hertz, width in octaves, gain in decibels."""

    # How it goes with time, in seconds

    attack: float = 0.004
    opening: float = 0.0
    """By how much of `attack` each further partial comes later."""
    fade: float = HELD
    """In which the first partial of middle C falls to a third; higher keys fade sooner."""
    damping: float = 0.0
    """How much sooner each further partial fades."""
    release: float = 0.12
    """Until it is still after its end."""
    vibrato: float = 0.0
    """In hundredths of a semitone."""
    tremolo: float = 0.0
    """Share by which the level swells."""

    # What else belongs to it

    players: int = 1
    """How many play each note together, each a little out of tune; more than one are spread to both sides."""
    apart: float = 0.0
    """How far out of tune, in hundredths of a semitone."""
    breath: tuple[float, float, float] = (0.0, 500.0, 5_000.0)
    """Noise for as long as the tone sounds: level as a share of it, lowest and highest hertz."""
    knock: tuple[float, float, float] = (0.0, 200.0, 3_000.0)
    """Noise at its beginning: the same."""

    # Where it stands

    gain: float = 0.0
    """Decibels, so that all are about equally loud."""
    pan: float = 0.0
    """−1 is left, 1 is right."""
    wide: float = 0.0
    """How far low keys stand to the left of high ones."""
    room: float = 0.25
    """How much of it the room gives back."""


_CASE = ((110, 0.5, 4.0), (220, 0.4, 3.0), (420, 0.5, 2.0))
_FIDDLE = ((280, 0.3, 6.0), (460, 0.3, 6.0), (700, 0.3, 3.0), (1_100, 0.5, 4.0), (2_600, 0.7, 7.0))
_CELLO = ((100, 0.3, 5.0), (190, 0.3, 5.0), (400, 0.5, 4.0), (800, 0.5, 2.0), (1_800, 0.7, 4.0))
_AH = ((650, 0.35, 12.0), (1_080, 0.3, 9.0), (2_650, 0.3, 7.0), (3_400, 0.3, 3.0))
_WOOD = ((1.0, 1.0, 1.0), (3.93, 0.35, 0.35), (9.2, 0.1, 0.15))
_METAL = ((1.0, 1.0, 1.0), (4.0, 0.35, 0.5), (10.0, 0.1, 0.2))
_COMB = ((1.0, 1.0, 1.0), (2.0, 0.18, 0.6), (6.27, 0.22, 0.22), (9.1, 0.06, 0.12))
_GLASS = ((1.0, 1.0, 1.0), (2.76, 0.5, 0.6), (5.4, 0.25, 0.35), (8.93, 0.1, 0.2))
_TUBES = (
    (1.0, 0.5, 1.0),
    (2.0, 1.0, 0.9),
    (3.01, 0.6, 0.7),
    (4.17, 0.45, 0.5),
    (5.43, 0.3, 0.35),
    (0.5, 0.2, 1.2),
)
_TINE = ((1.0, 1.0, 1.0), (2.0, 0.28, 0.6), (3.0, 0.1, 0.4), (7.1, 0.16, 0.08), (14.2, 0.05, 0.04))
_SKIN = ((1.0, 1.0, 1.0), (1.5, 0.6, 0.7), (1.99, 0.45, 0.6), (2.44, 0.3, 0.5), (2.9, 0.2, 0.4))
_PIPES = (
    *((0.5, 0.45, 1.0), (1.0, 1.0, 1.0), (2.0, 0.75, 1.0), (3.0, 0.28, 1.0), (4.0, 0.45, 1.0)),
    *((6.0, 0.16, 1.0), (8.0, 0.22, 1.0), (12.0, 0.06, 1.0), (16.0, 0.05, 1.0)),
)
_WHEELS = ((0.5, 0.8, 1.0), (1.0, 1.0, 1.0), (1.5, 0.8, 1.0), (2.0, 0.35, 1.0), (4.0, 0.2, 1.0))

PIANO = Voice(
    tilt=1.15, pluck=0.12, stretch=0.0007, cutoff=2_600, slope=1.6, attack=0.002, fade=1.5, damping=0.16,
    release=0.25, players=2, apart=0.8, knock=(0.12, 80, 1_800), wide=0.5, room=0.2,
)  # fmt: skip
HARPSICHORD = replace(
    PIANO, tilt=0.6, pluck=0.14, cutoff=7_000, fade=0.9, damping=0.05, knock=(0.1, 1_500, 6_000)
)
TINES = Voice(
    bars=_TINE, cutoff=3_500, attack=0.002, fade=1.1, release=0.2, tremolo=0.18, players=2, apart=2,
    knock=(0.05, 200, 1_500), wide=0.3, room=0.2, gain=2.5,
)  # fmt: skip
MUSIC_BOX = Voice(
    bars=_COMB, cutoff=9_000, attack=0.001, fade=0.9, release=1.2, knock=(0.05, 2_000, 7_000), pan=0.2,
    wide=0.3, room=0.35,
)  # fmt: skip
GLOCKENSPIEL = replace(MUSIC_BOX, bars=_GLASS)
VIBRAPHONE = Voice(
    bars=_METAL, cutoff=5_000, attack=0.003, fade=1.6, release=0.9, tremolo=0.3, knock=(0.04, 300, 2_000),
    pan=-0.25, wide=0.3, room=0.3,
)  # fmt: skip
MARIMBA = Voice(
    bars=_WOOD, cutoff=4_000, attack=0.002, fade=0.35, release=0.5, knock=(0.12, 200, 1_500), pan=0.25,
    wide=0.3, room=0.25, gain=3.5,
)  # fmt: skip
BELLS = replace(
    VIBRAPHONE, bars=_TUBES, fade=2.5, release=2.0, tremolo=0.0, knock=(0.06, 600, 4_000), gain=-3.0
)
DRAWBARS = Voice(
    bars=_WHEELS, cutoff=6_000, attack=0.008, release=0.08, vibrato=6, tremolo=0.12, players=2, apart=2,
    knock=(0.06, 800, 4_000), room=0.2, gain=-2.0,
)  # fmt: skip
ORGAN = Voice(
    bars=_PIPES, cutoff=5_000, attack=0.05, release=0.25, players=2, apart=2.5,
    breath=(0.015, 800, 5_000), room=0.45, gain=-4.0,
)  # fmt: skip
ACCORDION = Voice(
    tilt=0.9, cutoff=2_800, attack=0.05, release=0.1, players=4, apart=7, body=((700, 0.8, 4.0),),
    breath=(0.015, 800, 4_000), room=0.2, gain=-2.0,
)  # fmt: skip
GUITAR = Voice(
    tilt=1.0, pluck=0.22, stretch=0.00008, cutoff=2_200, slope=1.8, body=_CASE, attack=0.002, fade=0.8,
    damping=0.12, release=0.2, knock=(0.08, 300, 3_000), pan=-0.3, wide=0.1, room=0.2, gain=0.5,
)  # fmt: skip
STEEL_GUITAR = replace(GUITAR, tilt=0.9, pluck=0.16, cutoff=4_500, damping=0.07, fade=1.1)
ELECTRIC_GUITAR = replace(STEEL_GUITAR, body=(), pluck=0.3, fade=1.6, cutoff=3_000, room=0.15)
BURNT_GUITAR = Voice(
    tilt=0.55, cutoff=2_600, slope=2.5, attack=0.006, fade=5.0, players=2, apart=5, vibrato=5
)
ACOUSTIC_BASS = Voice(
    tilt=1.2, pluck=0.3, stretch=0.0001, cutoff=900, slope=1.7, body=((90, 0.6, 4.0), (180, 0.5, 2.0)),
    attack=0.006, fade=0.8, damping=0.2, release=0.12, knock=(0.1, 80, 700), room=0.08, gain=1.5,
)  # fmt: skip
ELECTRIC_BASS = replace(
    ACOUSTIC_BASS, tilt=1.0, pluck=0.2, cutoff=1_300, body=(), attack=0.003, fade=1.4, damping=0.12
)
SYNTH_BASS = Voice(
    tilt=1.0, cutoff=700, slope=2.5, attack=0.004, fade=1.5, damping=0.05, release=0.08, room=0.05
)
VIOLIN = Voice(
    tilt=1.05, cutoff=4_200, slope=2.5, body=_FIDDLE, attack=0.06, opening=0.06, release=0.14, vibrato=15,
    breath=(0.02, 1_500, 7_000), pan=-0.35, room=0.35, gain=-2.5,
)  # fmt: skip
VIOLA = replace(VIOLIN, cutoff=3_000, pan=0.2, vibrato=13, gain=-2.0)
CELLO = Voice(
    tilt=1.1, cutoff=2_400, slope=2.3, body=_CELLO, attack=0.07, opening=0.05, release=0.16, vibrato=14,
    breath=(0.015, 600, 4_000), pan=0.35, room=0.35, gain=-1.5,
)  # fmt: skip
CONTRABASS = replace(CELLO, cutoff=1_200, vibrato=8, pan=0.45, gain=-0.5)
HARP = Voice(
    tilt=1.25, pluck=0.4, cutoff=2_800, attack=0.003, fade=1.1, damping=0.12, release=0.9,
    knock=(0.05, 300, 2_000), pan=-0.45, wide=0.3, room=0.35,
)  # fmt: skip
PIZZICATO = replace(
    HARP, body=_FIDDLE, pluck=0.25, fade=0.22, release=0.15, players=3, apart=6, pan=0.0, gain=4.0
)
TIMPANI = Voice(
    bars=_SKIN, cutoff=900, attack=0.004, fade=0.9, release=0.9, knock=(0.3, 60, 500), room=0.4, gain=-2.0
)
STRINGS = Voice(
    tilt=1.1, cutoff=3_200, slope=2.2, body=_FIDDLE, attack=0.12, opening=0.03, release=0.35, vibrato=10,
    players=6, apart=9, breath=(0.015, 1_500, 6_000), room=0.4, gain=-4.5,
)  # fmt: skip
CHOIR = Voice(
    tilt=1.2, cutoff=3_600, slope=2.5, body=_AH, attack=0.14, release=0.35, vibrato=16, players=6, apart=10,
    breath=(0.03, 1_500, 6_000), room=0.45, gain=-4.5,
)  # fmt: skip
TRUMPET = Voice(
    tilt=0.35, cutoff=2_000, slope=2.6, body=((1_300, 0.8, 5.0),), attack=0.025, opening=0.14, release=0.09,
    vibrato=8, breath=(0.012, 1_000, 6_000), pan=0.3, room=0.3, gain=-3.5,
)  # fmt: skip
MUTED_TRUMPET = replace(TRUMPET, body=((1_800, 0.5, 9.0), (500, 0.6, -8.0)), gain=-4.0)
TROMBONE = replace(
    TRUMPET, cutoff=1_200, body=((550, 0.8, 4.0),), attack=0.035, vibrato=6, pan=0.4, gain=-2.5
)
TUBA = replace(TROMBONE, cutoff=500, body=((250, 0.8, 3.0),), vibrato=0, pan=0.2, gain=-1.5)
HORN = replace(
    TROMBONE,
    tilt=0.6,
    cutoff=800,
    slope=2.8,
    body=((380, 0.8, 4.0),),
    attack=0.05,
    pan=-0.3,
    room=0.4,
    gain=-3.0,
)
BRASS = replace(TRUMPET, cutoff=1_700, players=4, apart=7, attack=0.04, release=0.14, pan=0.0, gain=-3.0)
SAXOPHONE = Voice(
    tilt=0.75, even=0.85, cutoff=2_300, slope=2.4,
    body=((550, 0.5, 5.0), (1_400, 0.5, 5.0), (2_900, 0.5, 3.0)), attack=0.035, opening=0.06,
    release=0.1, vibrato=14, breath=(0.035, 1_200, 6_000), pan=0.2, room=0.25, gain=-2.0,
)  # fmt: skip
OBOE = Voice(
    tilt=0.45, cutoff=2_600, slope=3.0, body=((1_100, 0.5, 9.0), (2_900, 0.5, 6.0)), attack=0.03,
    opening=0.03, release=0.09, vibrato=11, breath=(0.015, 2_000, 7_000), pan=-0.15, room=0.3, gain=-3.5,
)  # fmt: skip
BASSOON = replace(
    OBOE, tilt=0.6, cutoff=1_200, body=((480, 0.4, 9.0), (1_150, 0.4, 5.0)), vibrato=7, pan=0.15, gain=-1.5
)
CLARINET = Voice(
    tilt=0.8, even=0.12, cutoff=2_000, slope=2.6, body=((1_500, 0.7, 3.0),), attack=0.035, opening=0.03,
    release=0.09, vibrato=3, breath=(0.015, 1_500, 6_000), pan=0.15, room=0.3, gain=-1.5,
)  # fmt: skip
FLUTE = Voice(
    tilt=1.5, cutoff=2_200, slope=2.5, attack=0.05, opening=0.1, release=0.1, vibrato=13,
    breath=(0.09, 700, 5_500), knock=(0.15, 1_000, 6_000), pan=-0.2, room=0.35, gain=-1.5,
)  # fmt: skip
WHISTLE = replace(FLUTE, tilt=2.2, even=0.5, breath=(0.12, 1_000, 6_000), gain=-1.0)
SQUARE = Voice(tilt=1.0, even=0.02, cutoff=3_500, attack=0.006, release=0.08, vibrato=7, room=0.2, gain=-3.0)
SAW = replace(SQUARE, even=1.0, cutoff=3_000, players=2, apart=7)
PAD = Voice(
    tilt=1.1,
    cutoff=1_500,
    slope=2.2,
    attack=0.3,
    opening=0.05,
    release=0.7,
    players=6,
    apart=9,
    room=0.45,
    gain=-5.0,
)
SITAR = replace(STEEL_GUITAR, tilt=0.5, pluck=0.08, cutoff=5_000, fade=1.4, vibrato=12, gain=-1.0)

_SIXTEEN: dict[int, tuple[Voice, ...]] = {
    0: (*[PIANO] * 4, TINES, TINES, HARPSICHORD, HARPSICHORD),
    8: (GLOCKENSPIEL, GLOCKENSPIEL, MUSIC_BOX, VIBRAPHONE, MARIMBA, MARIMBA, BELLS, HARPSICHORD),
    16: (*[DRAWBARS] * 3, ORGAN, *[ACCORDION] * 4),
    24: (GUITAR, STEEL_GUITAR, *[ELECTRIC_GUITAR] * 3, BURNT_GUITAR, BURNT_GUITAR, ELECTRIC_GUITAR),
    32: (ACOUSTIC_BASS, *[ELECTRIC_BASS] * 5, SYNTH_BASS, SYNTH_BASS),
    40: (VIOLIN, VIOLA, CELLO, CONTRABASS, STRINGS, PIZZICATO, HARP, TIMPANI),
    48: (STRINGS, STRINGS, PAD, PAD, CHOIR, CHOIR, CHOIR, BRASS),
    56: (TRUMPET, TROMBONE, TUBA, MUTED_TRUMPET, HORN, BRASS, BRASS, BRASS),
    64: (*[SAXOPHONE] * 4, OBOE, OBOE, BASSOON, CLARINET),
    72: (FLUTE, FLUTE, WHISTLE, WHISTLE, WHISTLE, WHISTLE, WHISTLE, WHISTLE),
    80: (SQUARE, *[SAW] * 7),
    88: (*[PAD] * 3, CHOIR, *[PAD] * 4),
    96: (PAD, PAD, MUSIC_BOX, GUITAR, MUSIC_BOX, PAD, PAD, SITAR),
    104: (SITAR, STEEL_GUITAR, STEEL_GUITAR, HARP, MARIMBA, OBOE, VIOLIN, OBOE),
    112: (MUSIC_BOX, MARIMBA, MARIMBA, MARIMBA, TIMPANI, TIMPANI, TIMPANI, PAD),
    120: (*[PAD] * 8,),
}  # fmt: skip

VOICES: tuple[Voice, ...] = tuple(voice for eight in _SIXTEEN.values() for voice in eight)
"""One for each of General MIDI's 128 programs: the instrument itself, or the nearest that there is."""
