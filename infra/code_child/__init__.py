"""The confined child process that runs code which a model wrote, with its tests."""
