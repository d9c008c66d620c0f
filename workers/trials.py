"""Code that a model wrote is run with the request's tests, and comes in the order of how many it passes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

from infra.code_check import passed_tests
from infra.confine import can_confine
from pipelines.base import Output, Request
from pipelines.errors import EngineError, PipelineError
from pipelines.languages import language_of

NOT_ALLOWED = "No code is run here; the worker's operator has to allow it (ATELIER_RUN_CODE)."
NOT_CONFINED = "This machine cannot confine code, so none is run: that takes Linux with seccomp."


class Trials:
    """What an engine whose operator allows it runs code by."""

    @cached_property
    def possible(self) -> bool:
        """Whether code can be kept in on this machine; where not, none is run."""
        return can_confine()

    def ranked(
        self, request: Request, outputs: Sequence[Output], alive: Callable[[], object]
    ) -> list[Output]:
        """The outputs with `tests` and `tests_passed` among their facts, the best first and numbered anew;
        each keeps its seed. `alive` is called before each trial, which may take some seconds."""
        tried = []
        for output in outputs:
            alive()
            tried.append(self._tried(request, output))
        best = sorted(
            tried, key=lambda one: (-int(one.facts["tests_passed"]), not one.facts.get("parses", True))
        )
        return [replace(output, index=index) for index, output in enumerate(best)]

    def _tried(self, request: Request, output: Output) -> Output:
        inputs = request.inputs
        language = language_of(inputs.language)
        assert language is not None  # noqa: S101 - inputs with tests have one of these languages
        code = f"{inputs.prefix}{output.value}{inputs.suffix}"
        passed = passed_tests(language, code, inputs.tests)
        return replace(output, facts={**output.facts, "tests": len(passed), "tests_passed": sum(passed)})


def has_tests(request: Request) -> bool:
    """Whether what it makes is to be tried."""
    return bool(getattr(request.inputs, "tests", None))


def refusal_of(trials: Trials | None) -> PipelineError | None:
    """Why no code is run here; None where it is."""
    if trials is None:
        return EngineError(NOT_ALLOWED)
    return None if trials.possible else EngineError(NOT_CONFINED)
