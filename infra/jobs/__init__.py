"""Jobs: their record, the transitions between states, events and live progress.

`JobQueue` is the only code that changes a state. docs/jobs.md tells the whole story.
"""
