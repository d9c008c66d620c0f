"""What the composed functions do, piece by piece: each piece in words, in Python and in JavaScript.

Both languages mean the same for whatever `samples` gives; a test compares them. `{x}` stands for the element,
`{k}` for the constant or the argument that takes its place, `{ks}` for a letter in double quotes.
"""

# ruff: noqa: E501 - tables

from __future__ import annotations

from dataclasses import dataclass

NUMBER, WORD, LETTER = (
    "number",
    "word",
    "letter",
)  # what an element may be; letters are texts of one character


@dataclass(frozen=True)
class Source:
    """Where the elements come from: an argument, or what is taken out of it."""

    name: str
    element: str
    arguments: tuple[str, ...]
    nouns: tuple[tuple[str, str], ...]  # one, many
    places: tuple[str, ...]  # `{arg}`: the argument's name
    python: str
    javascript: str
    hint: str  # Python's type of the argument
    label: str  # in a function's name, behind what is made of it


@dataclass(frozen=True)
class Filter:
    """Which elements are kept."""

    name: str
    element: str
    says: tuple[tuple[str, str], ...]  # "is even", "are even"
    python: str
    javascript: str
    label: str  # in a function's name
    adjective: str = ""  # may stand before the noun
    constant: str = ""  # "number" or "letter", or what the element is asked for


@dataclass(frozen=True)
class Map:
    """What each kept element becomes."""

    name: str
    element: str
    becomes: str
    of: tuple[str, ...]  # "the squares of {}"
    each: tuple[str, ...]  # "square each {one}"
    python: str
    javascript: str
    label: str
    constant: str = ""


@dataclass(frozen=True)
class Arrangement:
    """What is done with the list as a whole, so that it is a list still."""

    name: str
    elements: tuple[str, ...]
    of: tuple[str, ...]
    then: tuple[str, ...]  # "sort them in ascending order"
    python: str  # of the list `{e}`
    javascript: str
    label: str
    constant: str = ""


@dataclass(frozen=True)
class Reduction:
    """What the list becomes in the end."""

    name: str
    elements: tuple[str, ...]
    of: tuple[str, ...]
    then: tuple[str, ...]  # "add them up"
    python: str  # of the elements `{g}`
    javascript: str
    label: str
    returns: str  # Python's type; "element" where it is one of them
    constant: str = ""


SOURCES = (
    Source(
        "numbers", NUMBER, ("numbers", "values", "nums", "items", "data", "xs"),
        (("number", "numbers"), ("value", "values")),
        ("in the list", "of the list", "in {arg}", "in a list", ""),
        "{arg}", "{arg}", "list[int]", "numbers",
    ),
    Source(
        "range", NUMBER, ("n", "limit", "top", "last"), (("number", "numbers"), ("integer", "integers")),
        ("from 1 to {arg}", "from 1 up to {arg}", "between 1 and {arg}"),
        "range(1, {arg} + 1)", "Array.from({{ length: {arg} }}, (_, i) => i + 1)", "int", "numbers_up_to",
    ),
    Source(
        "digits", NUMBER, ("n", "number", "value"), (("digit", "digits"),),
        ("of {arg}", "of a number", "of the number"),
        "map(int, str({arg}))", "[...String({arg})].map(Number)", "int", "digits",
    ),
    Source(
        "table", NUMBER, ("scores", "prices", "table", "points"), (("value", "values"),),
        ("of the dictionary", "in the dictionary", "of {arg}", "in a dictionary"),
        "{arg}.values()", "Object.values({arg})", "dict[str, int]", "dictionary_values",
    ),
    Source(
        "words", WORD, ("words", "names", "texts", "strings", "items"),
        (("word", "words"), ("string", "strings"), ("name", "names")),
        ("in the list", "of the list", "in {arg}", "in a list", ""),
        "{arg}", "{arg}", "list[str]", "words",
    ),
    Source(
        "sentence", WORD, ("text", "sentence", "line"), (("word", "words"),),
        ("of the text", "in the text", "of a sentence", "in {arg}", "of {arg}"),
        "{arg}.split()", "{arg}.split(/\\s+/).filter(Boolean)", "str", "words_in_text",
    ),
    Source(
        "letters", LETTER, ("text", "string", "s", "word"), (("character", "characters"), ("letter", "letters")),
        ("of the text", "in the string", "of a string", "in {arg}", "of {arg}"),
        "{arg}", "[...{arg}]", "str", "characters",
    ),
)  # fmt: skip

FILTERS = (
    Filter("even", NUMBER, (("is even", "are even"),), "{x} % 2 == 0", "{x} % 2 === 0", "even", "even"),
    Filter("odd", NUMBER, (("is odd", "are odd"),), "{x} % 2 != 0", "{x} % 2 !== 0", "odd", "odd"),
    Filter("positive", NUMBER, (("is positive", "are positive"), ("is above zero", "are above zero")),
           "{x} > 0", "{x} > 0", "positive", "positive"),
    Filter("negative", NUMBER, (("is negative", "are negative"), ("is below zero", "are below zero")),
           "{x} < 0", "{x} < 0", "negative", "negative"),
    Filter("nonzero", NUMBER, (("is not zero", "are not zero"),), "{x} != 0", "{x} !== 0", "nonzero", "nonzero"),
    Filter("above", NUMBER, (("is greater than {k}", "are greater than {k}"), ("is above {k}", "are above {k}"),
                             ("is more than {k}", "are more than {k}")),
           "{x} > {k}", "{x} > {k}", "above_{k}", constant="number"),
    Filter("below", NUMBER, (("is less than {k}", "are less than {k}"), ("is below {k}", "are below {k}"),
                             ("is smaller than {k}", "are smaller than {k}")),
           "{x} < {k}", "{x} < {k}", "below_{k}", constant="number"),
    Filter("least", NUMBER, (("is at least {k}", "are at least {k}"),),
           "{x} >= {k}", "{x} >= {k}", "at_least_{k}", constant="number"),
    Filter("most", NUMBER, (("is at most {k}", "are at most {k}"),),
           "{x} <= {k}", "{x} <= {k}", "at_most_{k}", constant="number"),
    Filter("multiple", NUMBER, (("is divisible by {k}", "are divisible by {k}"),
                                ("is a multiple of {k}", "are multiples of {k}")),
           "{x} % {k} == 0", "{x} % {k} === 0", "divisible_by_{k}", constant="number"),
    Filter("unmultiple", NUMBER, (("is not divisible by {k}", "are not divisible by {k}"),),
           "{x} % {k} != 0", "{x} % {k} !== 0", "not_divisible_by_{k}", constant="number"),
    Filter("other", NUMBER, (("is not {k}", "are not {k}"), ("is different from {k}", "are different from {k}")),
           "{x} != {k}", "{x} !== {k}", "not_{k}", constant="number"),
    Filter("single", NUMBER, (("has one digit", "have one digit"),),
           "abs({x}) < 10", "Math.abs({x}) < 10", "single_digit", "single-digit"),
    Filter("longer", WORD, (("is longer than {k} characters", "are longer than {k} characters"),
                            ("has more than {k} letters", "have more than {k} letters")),
           "len({x}) > {k}", "{x}.length > {k}", "longer_than_{k}", constant="number"),
    Filter("shorter", WORD, (("is shorter than {k} characters", "are shorter than {k} characters"),
                             ("has fewer than {k} letters", "have fewer than {k} letters")),
           "len({x}) < {k}", "{x}.length < {k}", "shorter_than_{k}", constant="number"),
    Filter("sized", WORD, (("is exactly {k} characters long", "are exactly {k} characters long"),
                           ("has exactly {k} letters", "have exactly {k} letters")),
           "len({x}) == {k}", "{x}.length === {k}", "of_length_{k}", constant="number"),
    Filter("starts", WORD, (("starts with {k}", "start with {k}"), ("begins with {k}", "begin with {k}")),
           "{x}.startswith({k})", "{x}.startsWith({k})", "starting_with_{k}", constant="letter"),
    Filter("ends", WORD, (("ends with {k}", "end with {k}"), ("ends in {k}", "end in {k}")),
           "{x}.endswith({k})", "{x}.endsWith({k})", "ending_with_{k}", constant="letter"),
    Filter("contains", WORD, (("contains {k}", "contain {k}"), ("has {k} in it", "have {k} in them")),
           "{k} in {x}", "{x}.includes({k})", "containing_{k}", constant="letter"),
    Filter("lacks", WORD, (("does not contain {k}", "do not contain {k}"), ("has no {k}", "have no {k}")),
           "{k} not in {x}", "!{x}.includes({k})", "without_{k}", constant="letter"),
    Filter("vowelled", WORD, (("starts with a vowel", "start with a vowel"),
                              ("begins with a vowel", "begin with a vowel")),
           '{x}[0].lower() in "aeiou"', '"aeiou".includes({x}[0].toLowerCase())', "starting_with_vowel"),
    Filter("shouted", WORD, (("is in upper case", "are in upper case"), ("is all capitals", "are all capitals")),
           "{x}.isupper()", "{x} === {x}.toUpperCase()", "uppercase", "uppercase"),
    Filter("palindrome", WORD, (("is a palindrome", "are palindromes"),
                                ("reads the same backwards", "read the same backwards")),
           "{x} == {x}[::-1]", '{x} === [...{x}].reverse().join("")', "palindrome", "palindromic"),
    Filter("vowel", LETTER, (("is a vowel", "are vowels"),),
           '{x}.lower() in "aeiou"', '"aeiou".includes({x}.toLowerCase())', "vowel"),
    Filter("consonant", LETTER, (("is a consonant", "are consonants"),),
           '{x}.isalpha() and {x}.lower() not in "aeiou"', "/[b-df-hj-np-tv-z]/i.test({x})", "consonant"),
    Filter("digit", LETTER, (("is a digit", "are digits"),), "{x}.isdigit()", "/[0-9]/.test({x})", "digit"),
    Filter("alphabetic", LETTER, (("is a letter of the alphabet", "are letters of the alphabet"),
                                  ("is alphabetic", "are alphabetic")),
           "{x}.isalpha()", "/[a-z]/i.test({x})", "alphabetic", "alphabetic"),
    Filter("capital", LETTER, (("is in upper case", "are in upper case"), ("is a capital", "are capitals")),
           "{x}.isupper()", "/[A-Z]/.test({x})", "uppercase", "uppercase"),
    Filter("small", LETTER, (("is in lower case", "are in lower case"),),
           "{x}.islower()", "/[a-z]/.test({x})", "lowercase", "lowercase"),
    Filter("unspaced", LETTER, (("is not a space", "are not spaces"),),
           '{x} != " "', '{x} !== " "', "nonspace", "non-space"),
    Filter("unlike", LETTER, (("is not {k}", "are not {k}"), ("is different from {k}", "are different from {k}")),
           "{x} != {k}", "{x} !== {k}", "not_{k}", constant="letter"),
)  # fmt: skip

MAPS = (
    Map("square", NUMBER, NUMBER, ("the squares of {}", "the square of each of {}"),
        ("square each {one}", "square them"), "{x} * {x}", "{x} * {x}", "squares"),
    Map("cube", NUMBER, NUMBER, ("the cubes of {}", "the cube of each of {}"),
        ("cube each {one}", "raise each {one} to the third power"), "{x} ** 3", "{x} ** 3", "cubes"),
    Map("double", NUMBER, NUMBER, ("the doubles of {}", "twice each of {}"),
        ("double each {one}", "double them"), "{x} * 2", "{x} * 2", "doubles"),
    Map("half", NUMBER, NUMBER, ("the halves of {}, rounded down,", "half of each of {}, rounded down,"),
        ("halve each {one}, rounding down",), "{x} // 2", "Math.floor({x} / 2)", "halves"),
    Map("times", NUMBER, NUMBER, ("{k} times each of {}", "{} multiplied by {k}"),
        ("multiply each {one} by {k}", "multiply them by {k}"), "{x} * {k}", "{x} * {k}", "times_{k}", "number"),
    Map("plus", NUMBER, NUMBER, ("{} increased by {k}", "{k} plus each of {}"),
        ("add {k} to each {one}", "increase each {one} by {k}"), "{x} + {k}", "{x} + {k}", "plus_{k}", "number"),
    Map("minus", NUMBER, NUMBER, ("{} decreased by {k}", "{} minus {k}"),
        ("subtract {k} from each {one}", "decrease each {one} by {k}"),
        "{x} - {k}", "{x} - {k}", "minus_{k}", "number"),
    Map("absolute", NUMBER, NUMBER, ("the absolute values of {}", "the absolute value of each of {}"),
        ("take the absolute value of each {one}",), "abs({x})", "Math.abs({x})", "absolute_values"),
    Map("negate", NUMBER, NUMBER, ("the negatives of {}", "{} with the sign changed"),
        ("negate each {one}", "change the sign of each {one}"), "-{x}", "-{x}", "negatives"),
    Map("last_digit", NUMBER, NUMBER, ("the last digits of {}", "the last digit of each of {}"),
        ("take the last digit of each {one}",), "abs({x}) % 10", "Math.abs({x}) % 10", "last_digits"),
    Map("capped", NUMBER, NUMBER, ("{}, each at most {k},", "{} capped at {k}"),
        ("cap each {one} at {k}", "limit each {one} to at most {k}"),
        "min({x}, {k})", "Math.min({x}, {k})", "capped_at_{k}", "number"),
    Map("text", NUMBER, WORD, ("{} as strings", "{} converted to strings"),
        ("turn each {one} into a string", "convert each {one} to a string"), "str({x})", "String({x})", "strings"),
    Map("upper", WORD, WORD, ("{} in upper case", "{} as capitals"),
        ("turn each {one} into upper case", "uppercase each {one}"),
        "{x}.upper()", "{x}.toUpperCase()", "uppercased"),
    Map("lower", WORD, WORD, ("{} in lower case", "the lowercase forms of {}"),
        ("turn each {one} into lower case", "lowercase each {one}"),
        "{x}.lower()", "{x}.toLowerCase()", "lowercased"),
    Map("backwards", WORD, WORD, ("{} written backwards", "{}, each reversed,"),
        ("reverse each {one}", "write each {one} backwards"),
        "{x}[::-1]", '[...{x}].reverse().join("")', "reversals"),
    Map("initial", WORD, WORD, ("the first letters of {}", "the initials of {}", "the first letter of each of {}"),
        ("take the first letter of each {one}",), "{x}[0]", "{x}[0]", "initials"),
    Map("final", WORD, WORD, ("the last letters of {}", "the last letter of each of {}"),
        ("take the last letter of each {one}",), "{x}[-1]", "{x}.at(-1)", "last_letters"),
    Map("beginning", WORD, WORD, ("the first {k} letters of each of {}", "{} cut to {k} characters"),
        ("cut each {one} to {k} characters", "keep the first {k} letters of each {one}"),
        "{x}[:{k}]", "{x}.slice(0, {k})", "cut_to_{k}", "number"),
    Map("twice", WORD, WORD, ("{} repeated twice", "{}, each written twice,"),
        ("repeat each {one} twice", "write each {one} twice"), "{x} * 2", "{x}.repeat(2)", "repeated"),
    Map("excited", WORD, WORD, ("{} with an exclamation mark at the end",),
        ("add an exclamation mark to each {one}", "put an exclamation mark after each {one}"),
        '{x} + "!"', '{x} + "!"', "exclaimed"),
    Map("bracketed", WORD, WORD, ("{} in brackets", "{} put in square brackets"),
        ("put each {one} in square brackets", "wrap each {one} in brackets"),
        '"[" + {x} + "]"', '"[" + {x} + "]"', "bracketed"),
    Map("stripped", WORD, WORD, ("{} without the letter {k}", "{} with every {k} removed"),
        ("remove every {k} from each {one}", "delete {k} from each {one}"),
        '{x}.replace({k}, "")', '{x}.replaceAll({k}, "")', "removing_{k}", "letter"),
    Map("length", WORD, NUMBER, ("the lengths of {}", "the length of each of {}"),
        ("take the length of each {one}", "count the characters of each {one}"),
        "len({x})", "{x}.length", "lengths"),
    Map("occurrences", WORD, NUMBER, ("the number of times that {k} is in each of {}", "the counts of {k} in {}"),
        ("count how often {k} is in each {one}", "count the {k} in each {one}"),
        "{x}.count({k})", "{x}.split({k}).length - 1", "counts_of_{k}", "letter"),
    Map("upper_letter", LETTER, LETTER, ("{} in upper case", "{} as capitals"),
        ("turn each {one} into upper case", "uppercase each {one}"),
        "{x}.upper()", "{x}.toUpperCase()", "uppercased"),
    Map("lower_letter", LETTER, LETTER, ("{} in lower case",),
        ("turn each {one} into lower case", "lowercase each {one}"),
        "{x}.lower()", "{x}.toLowerCase()", "lowercased"),
    Map("twice_letter", LETTER, WORD, ("{} repeated twice", "{}, each written twice,"),
        ("repeat each {one} twice", "write each {one} twice"), "{x} * 2", "{x}.repeat(2)", "repeated"),
    Map("code", LETTER, NUMBER, ("the character codes of {}", "the code points of {}"),
        ("take the character code of each {one}",), "ord({x})", "{x}.codePointAt(0)", "codes"),
)  # fmt: skip

ALL = (NUMBER, WORD, LETTER)
TEXTS = (WORD, LETTER)
ARRANGEMENTS = (
    Arrangement("ascending", (NUMBER,), ("{} in ascending order", "{} sorted from smallest to largest"),
                ("sort them in ascending order", "sort the result"),
                "sorted({g})", "{e}.sort((a, b) => a - b)", "ascending"),
    Arrangement("descending", (NUMBER,), ("{} in descending order", "{} sorted from largest to smallest"),
                ("sort them in descending order", "sort them from largest to smallest"),
                "sorted({g}, reverse=True)", "{e}.sort((a, b) => b - a)", "descending"),
    Arrangement("alphabetical", TEXTS, ("{} in alphabetical order", "{} sorted alphabetically"),
                ("sort them alphabetically", "put them in alphabetical order"),
                "sorted({g})", "{e}.sort()", "alphabetically"),
    Arrangement("by_length", (WORD,), ("{} sorted by length", "{} from shortest to longest"),
                ("sort them by length", "order them by their length"),
                "sorted({g}, key=len)", "{e}.sort((a, b) => a.length - b.length)", "by_length"),
    Arrangement("backward", ALL, ("{} in reverse order",), ("reverse their order", "reverse the list"),
                "{e}[::-1]", "{e}.reverse()", "in_reverse"),
    Arrangement("distinct", ALL, ("{} without duplicates", "{} with duplicates removed"),
                ("remove the duplicates", "drop duplicates"),
                "list(dict.fromkeys({g}))", "[...new Set({g})]", "unique"),
    Arrangement("first", ALL, ("the first {k} of {}",), ("take the first {k}", "keep only the first {k}"),
                "{e}[:{k}]", "{g}.slice(0, {k})", "first_{k}", "number"),
    Arrangement("last", ALL, ("the last {k} of {}",), ("take the last {k}", "keep only the last {k}"),
                "{e}[-{k}:]", "{g}.slice(-{k})", "last_{k}", "number"),
    Arrangement("alternate", ALL, ("every second one of {}", "every other one of {}"),
                ("keep every second one", "take every other one"),
                "{e}[::2]", "{g}.filter((_, i) => i % 2 === 0)", "every_second"),
)  # fmt: skip

REDUCTIONS = (
    Reduction("sum", (NUMBER,), ("the sum of {}", "the total of {}"), ("add them up", "return the sum"),
              "sum({g})", "{g}.reduce((a, b) => a + b, 0)", "sum", "int"),
    Reduction("product", (NUMBER,), ("the product of {}",), ("multiply them together", "return the product"),
              "", "{g}.reduce((a, b) => a * b, 1)", "product", "int"),
    Reduction("largest", (NUMBER,), ("the largest of {}", "the maximum of {}"),
              ("return the largest", "return the maximum"), "max({g})", "Math.max(...{g})", "largest", "int"),
    Reduction("smallest", (NUMBER,), ("the smallest of {}", "the minimum of {}"),
              ("return the smallest", "return the minimum"), "min({g})", "Math.min(...{g})", "smallest", "int"),
    Reduction("average", (NUMBER,), ("the average of {}", "the mean of {}"),
              ("return the average", "return their mean"),
              "", "", "average", "float"),
    Reduction("spread", (NUMBER,), ("the difference between the largest and the smallest of {}", "the range of {}"),
              ("return the largest minus the smallest",), "", "", "range", "int"),
    Reduction("count", ALL, ("the number of {}", "how many there are of {}"),
              ("count them", "return how many there are"), "len({e})", "{g}.length", "count", "int"),
    Reduction("joined", TEXTS, ("{} joined with {k}", "{} joined by {k}"),
              ("join them with {k}", "join the result with {k}"), "{k}.join({g})", "{g}.join({k})", "joined", "str",
              "separator"),
    Reduction("glued", TEXTS, ("{} joined into one string", "{} put together"),
              ("put them together as one string", "join them into one string"),
              '"".join({g})', '{g}.join("")', "glued", "str"),
    Reduction("longest", (WORD,), ("the longest of {}",), ("return the longest", "return the longest one"),
              "max({g}, key=len)", "{g}.reduce((a, b) => (b.length > a.length ? b : a))", "longest", "str"),
    Reduction("shortest", (WORD,), ("the shortest of {}",), ("return the shortest", "return the shortest one"),
              "min({g}, key=len)", "{g}.reduce((a, b) => (b.length < a.length ? b : a))", "shortest", "str"),
    Reduction("tally", ALL, ("how often each of {} occurs", "the number of times each of {} occurs"),
              ("count how often each occurs", "count each of them in a dictionary"), "", "", "tally", "dict"),
    Reduction("some", ALL, ("whether any of {many} {says}",), ("tell whether there is any",),
              "any({c} for {x} in {s})", "{s}.some(({x}) => {c})", "any", "bool"),
    Reduction("every", ALL, ("whether all of {many} {say}",), ("tell whether it holds for all",),
              "all({c} for {x} in {s})", "{s}.every(({x}) => {c})", "all", "bool"),
)  # fmt: skip
