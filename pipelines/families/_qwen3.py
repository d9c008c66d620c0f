"""What the picture families share whose prompts Qwen3 reads, as a message of its chat template."""

from typing import Any, ClassVar

from pipelines.families._diffusers import DiffusersFamily

MOST_TOKENS = 512
"""Of the prompt within the model's template."""


class ReadByQwen3(DiffusersFamily):
    thinking: ClassVar[bool]
    """Whether the template leaves room for the model's reasoning."""
    readers: ClassVar = {"tokenizer": MOST_TOKENS}

    def multiple(self, pipe: Any) -> int:
        return 2 * int(pipe.vae_scale_factor)

    def tokens(self, reader: str, prompt: str) -> int:
        written = self.pipe.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=self.thinking,
        )
        return super().tokens(reader, written)
