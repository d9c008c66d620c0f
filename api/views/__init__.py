"""The calls: each view parses, calls, answers."""
