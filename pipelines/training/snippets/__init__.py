"""The snippets model: a small language model that writes short functions in Python and JavaScript."""
