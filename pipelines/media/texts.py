"""Texts and code: UTF-8 without more. They carry no mark and have no thumbnail: a text has no place for one
that would not change what it says."""

SUFFIXES = {
    "bash": "sh", "c": "c", "c#": "cs", "c++": "cpp", "clojure": "clj", "cpp": "cpp", "csharp": "cs",
    "css": "css", "dart": "dart", "elixir": "ex", "erlang": "erl", "fortran": "f90", "go": "go",
    "haskell": "hs", "html": "html", "java": "java", "javascript": "js", "json": "json", "julia": "jl",
    "kotlin": "kt", "latex": "tex", "lua": "lua", "markdown": "md", "matlab": "m", "objective-c": "m",
    "ocaml": "ml", "perl": "pl", "php": "php", "python": "py", "r": "r", "ruby": "rb", "rust": "rs",
    "scala": "scala", "shell": "sh", "sql": "sql", "svelte": "svelte", "swift": "swift", "toml": "toml",
    "typescript": "ts", "vue": "vue", "xml": "xml", "yaml": "yaml", "zig": "zig",
}  # fmt: skip
"""Ends of the names of code files, by language in lower case."""


def suffix(language: str) -> str:
    """What the name of a text in this language ends with; `txt` for none and for one that is not listed."""
    return SUFFIXES.get(language.lower().strip(), "txt")
