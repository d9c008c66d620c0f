"""One output of a text family while it grows, and the request that it belongs to."""

from collections.abc import Callable

import torch

from pipelines.base import Emit, Output, Request
from pipelines.families._prompts import Prompt
from pipelines.families._text import Detokenizer, StopFinder
from pipelines.outputs import Facts
from pipelines.seeds import output_seed


class Line:
    """One output while it grows, and a row of what is computed."""

    def __init__(self, work: "Work", index: int, held: bool) -> None:
        inputs = work.request.inputs
        self.work = work
        self.index = index
        self.seed = output_seed(inputs.seed, index)
        self.temperature = float(inputs.temperature)
        self.top_p = float(inputs.top_p)
        self.min_p = float(inputs.min_p)
        self.noise = torch.Generator("cpu").manual_seed(self.seed)
        self.ids = list(work.prompt.ids)
        """The prompt's tokens and those made so far."""
        self.made = 0
        self.text = ""
        self.finish = ""
        """Why it ended: `stop` (the model ended it, or a stop text appeared) or `length`; empty before."""
        self.held = held
        """Whether its text is given away in one piece at the end, because it may be written anew."""
        self.again = 0
        """How often it was begun again."""
        self.bucket, self.row = 0, 0
        """With how many rows and as which of them it was computed; 0 where that changed meanwhile."""
        self._read()

    def _read(self) -> None:
        """Get ready to read the text from its beginning."""
        self._detokenizer = self.work.detokenizer()
        self._stops = StopFinder([*self.work.request.inputs.stop, *self.work.prompt.stop])

    def begin_again(self) -> None:
        """Forget the text; its random numbers go on, so that another one comes."""
        self.ids = list(self.work.prompt.ids)
        self.made, self.text, self.finish = 0, "", ""
        self.again += 1
        self._read()

    def release(self, emit: Emit) -> None:
        """Give away the text that was held back."""
        if self.held and self.text:
            emit.delta(self.work.request, self.index, self.text)

    def take(self, token: int, emit: Emit) -> None:
        """Add a token, and give away the text that is certain now."""
        if self.finish:  # its row goes on for the sake of its neighbours
            return
        self.ids.append(token)
        self.made += 1
        if token in self.work.ends:
            self.finish = "stop"
        else:
            self._give(self._stops.push(self._detokenizer.push(token)), emit)
            if self._stops.found:
                self.finish = "stop"
            elif self.made == self.work.request.inputs.max_tokens:
                self.finish = "length"
        if self.finish:
            self._give_rest(emit)

    def _give_rest(self, emit: Emit) -> None:
        """Give away what was held back: it has turned out to be neither half a character nor a stop text."""
        rest = self._stops.push(self._detokenizer.rest()) + self._stops.rest()
        self._give(rest, emit)

    def _give(self, piece: str, emit: Emit) -> None:
        if piece:
            self.text += piece
            if not self.held:
                emit.delta(self.work.request, self.index, piece)


class Work:
    """A request that is being served: its lines, and what has been told of it."""

    def __init__(
        self,
        request: Request,
        prompt: Prompt,
        ends: frozenset[int],
        detokenizer: Callable[[], Detokenizer],
        held: bool = False,
    ) -> None:
        self.request = request
        self.prompt = prompt
        self.ends = ends | prompt.ends
        self.detokenizer = detokenizer
        self.lines = [Line(self, index, held) for index in range(request.inputs.n)]
        self.failed = False
        self._told = 0

    @property
    def done(self) -> bool:
        return all(line.finish for line in self.lines)

    def tell(self, emit: Emit, anyway: bool = False) -> None:
        """Tell how many tokens there are, if there are more than when it was told last or `anyway`."""
        made = sum(line.made for line in self.lines)
        if anyway or made > self._told:
            self._told = made
            emit.progress(self.request, made, self.request.inputs.n * self.request.inputs.max_tokens)

    def outputs(self, facts: Callable[[Line], Facts]) -> list[Output]:
        """What it has come to, in order."""
        return [
            Output(line.index, line.text, line.seed, bucket=line.bucket, row=line.row, facts=facts(line))
            for line in self.lines
        ]
