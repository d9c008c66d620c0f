"""The ways in which one word is written, undone: what a filter of words compares with its list.

People write words so that a list does not know them: with invisible characters, with letters of other
alphabets that look alike, with digits for letters, with spaces between letters, with letters repeated.
`readings` gives a text as it may be meant, a few times.
"""

import re
import unicodedata

_ALIKE = {
    "a": "аαɑ", "b": "вβь", "c": "сϲ", "d": "ԁđ", "e": "еεєҽ", "g": "ԍɡ", "h": "һнհ", "i": "іιıі",
    "j": "јϳ", "k": "кκ", "l": "ӏłⅼ", "m": "мμ", "n": "ոηп", "o": "оοσøօ", "p": "рρþ", "q": "ԛ",
    "r": "гᴦ", "s": "ѕʂ", "t": "тτ", "u": "υսц", "v": "ѵν", "w": "ѡωԝ", "x": "хχ", "y": "уγү", "z": "ᴢʐ",
}  # fmt: skip
LOOKALIKES = str.maketrans({other: letter for letter, others in _ALIKE.items() for other in others})
"""Small letters of Cyrillic, Greek, Armenian and other Latin alphabets that look like one of a to z."""

UNSEEN = frozenset({"Cf", "Mn", "Me", "Cc"})
"""Unicode's categories of invisible characters and of marks on others."""

LEET = str.maketrans("013457@$!+8", "oieastasitb")
LEET_L = str.maketrans("013457@$!|8", "oleastaslib")
"""Digits and signs that stand for letters; 1 stands for i or l."""

LATIN = re.compile(r"[a-z]")
OTHER_LETTERS = re.compile(r"[^\W\d_a-z]")
TOKEN = re.compile(r"[^\s,.;:()\[\]{}<>\"“”„*_/\\]+")
MIXED = re.compile(r"(?=.*[a-z])(?=.*[013457@$!+|8])[a-z013457@$!+|8'’-]+")
AGE = re.compile(r"\d+(?:yo|yrs?|y)")
SPACED = re.compile(r"(?<![^\W_])[^\W_](?:[\s.\-_*·]{1,3}[^\W_](?![^\W_])){3,}")
REPEATED = re.compile(r"([a-z])\1{2,}")
SPACES = re.compile(r"[\s_]+")
CONTROLS = dict.fromkeys(
    code for code in range(128) if unicodedata.category(chr(code)) == "Cc" and not chr(code).isspace()
)
LEET_SIGNS = re.compile(r"[013457@$!+|8]")


def plain(text: str) -> str:
    """The text in small letters without accents, invisible characters and look-alikes."""
    if text.isascii():  # what follows does no more than this to such a text
        return SPACES.sub(" ", text.translate(CONTROLS).lower()).strip()
    decomposed = unicodedata.normalize("NFKD", text)
    kept = "".join(char for char in decomposed if unicodedata.category(char) not in UNSEEN or char.isspace())
    folded = unicodedata.normalize("NFC", kept.casefold())
    return SPACES.sub(" ", TOKEN.sub(_one_alphabet, folded)).strip()


def readings(text: str) -> list[str]:
    """A plain text as it may be meant: as it is, with letters for digits, drawn together, not repeated."""
    found = [text, TOKEN.sub(_letters, text)] if LEET_SIGNS.search(text) else [text]
    if SPACED.search(text):
        found += [SPACED.sub(_together, reading) for reading in found[:]]
    if REPEATED.search(text):
        found += [TOKEN.sub(_unrepeated, reading) for reading in found[:]]
    return list(dict.fromkeys(found))


def _one_alphabet(token: re.Match[str]) -> str:
    """A word in which alphabets are mixed, in Latin letters; one of another alphabet stays as it is."""
    word = token[0]
    return word.translate(LOOKALIKES) if LATIN.search(word) and OTHER_LETTERS.search(word) else word


def _letters(token: re.Match[str]) -> str:
    """A word with digits for letters in letters; ages such as 12yo, and plain numbers, stay."""
    word = token[0].rstrip("!")
    if not MIXED.fullmatch(word) or AGE.fullmatch(word):
        return token[0]
    return _either(word.translate(LEET_L), word.translate(LEET))


def _unrepeated(token: re.Match[str]) -> str:
    """A word with letters that are drawn out once, and twice."""
    word = token[0]
    return _either(REPEATED.sub(r"\1", word), REPEATED.sub(r"\1\1", word))


def _either(one: str, other: str) -> str:
    """Both readings of a word, side by side."""
    return one if one == other else f"{one} {other}"


def _together(spaced: re.Match[str]) -> str:
    return re.sub(r"[^\w]|_", "", spaced[0])
