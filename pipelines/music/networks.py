"""The two networks that write words: a transformer in Llama's layout, and an LSTM of about its size."""

import json
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipelines.music.words import NUMBER, WORDS

CONTEXT = 1024
"""Words that a network reads at once."""


class Network(Protocol):
    """What the writer asks of a network."""

    def read(self, words: Tensor, memory: Any) -> tuple[Tensor, Any]:
        """(rows, words) numbers after what `memory` remembers (None: nothing) to (rows, vocabulary) logits of
        the next word, and the memory with them."""


class Transformer:
    """`LlamaForCausalLM` of transformers; its memory is the cache of keys and values."""

    layers, width, heads, inner = 4, 192, 6, 512

    def __init__(self, model: Any) -> None:
        self.model = model

    @classmethod
    def fresh(cls) -> "Transformer":
        from transformers import LlamaConfig, LlamaForCausalLM

        config = LlamaConfig(
            vocab_size=len(WORDS),
            hidden_size=cls.width,
            intermediate_size=cls.inner,
            num_hidden_layers=cls.layers,
            num_attention_heads=cls.heads,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            bos_token_id=NUMBER["begin"],
            eos_token_id=NUMBER["end"],
            pad_token_id=NUMBER["nothing"],
        )
        return cls(LlamaForCausalLM(config))

    def logits(self, words: Tensor) -> Tensor:
        """(rows, words) to (rows, words, vocabulary)."""
        return self.model(input_ids=words, use_cache=False).logits

    def read(self, words: Tensor, memory: Any) -> tuple[Tensor, Any]:
        words = words.to(self.model.device)
        memory = memory or _memory(self.model.config.num_hidden_layers)
        out = self.model(input_ids=words, past_key_values=memory, use_cache=True, logits_to_keep=1)
        return out.logits[:, -1], out.past_key_values


def _memory(layers: int) -> Any:
    """A cache whose keys and values fill one piece of memory, which is not copied with each new word."""
    from transformers.cache_utils import Cache, DynamicLayer

    class Layer(DynamicLayer):  # type: ignore[misc]  # transformers has no types here
        def update(self, keys: Tensor, values: Tensor, *args: Any, **more: Any) -> tuple[Tensor, Tensor]:
            if not self.is_initialized:
                self.lazy_initialization(keys, values)
                shape = (*keys.shape[:2], CONTEXT, keys.shape[3])
                self.room = (keys.new_empty(shape), values.new_empty(shape))
                self.filled = 0
            end = self.filled + keys.shape[2]
            for room, new in zip(self.room, (keys, values), strict=True):
                room[:, :, self.filled : end] = new
            self.keys, self.values = (room[:, :, :end] for room in self.room)
            self.filled = end
            return self.keys, self.values

    return Cache(layers=[Layer() for _ in range(layers)])


class Recurrent(nn.Module):  # type: ignore[misc]  # torch has no types here
    """An LSTM of two layers; its memory is their states. Words go in and come out by the same table."""

    def __init__(self, layers: int = 2, width: int = 192, inner: int = 344) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS), width)
        self.lstm = nn.LSTM(width, inner, layers, batch_first=True)
        self.out = nn.Linear(inner, width)
        nn.init.normal_(self.words.weight, std=0.05)

    def get_input_embeddings(self) -> nn.Embedding:
        """As transformers calls it."""
        return self.words

    def logits(self, words: Tensor) -> Tensor:
        """(rows, words) to (rows, words, vocabulary)."""
        return self.out(self.lstm(self.words(words))[0]) @ self.words.weight.T

    def read(self, words: Tensor, memory: Any) -> tuple[Tensor, Any]:
        states, memory = self.lstm(self.words(words.to(self.out.weight.device)), memory)
        return self.out(states[:, -1]) @ self.words.weight.T, memory

    def save(self, folder: Path) -> None:
        """float16 safetensors and a config that says what it is."""
        weights = {name: value.half().contiguous() for name, value in self.state_dict().items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "model.safetensors").chmod(0o644)  # safetensors lets only the owner read
        sizes = {
            "layers": self.lstm.num_layers,
            "width": self.lstm.input_size,
            "inner": self.lstm.hidden_size,
        }
        config = {"model_type": "songbook_lstm", "words": len(WORDS), **sizes}
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def load(folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Network:
    """The network of a folder; raises ValueError where it knows other words than these."""
    config = json.loads((folder / "config.json").read_text())
    if config.get("vocab_size", config.get("words")) != len(WORDS):
        raise ValueError(f"{folder} knows other words than this version writes")
    if config["model_type"] == "songbook_lstm":
        network = Recurrent(config["layers"], config["width"], config["inner"])
        network.load_state_dict(load_file(folder / "model.safetensors"))
        network.to(device, dtype).eval()
        return network
    from transformers import LlamaForCausalLM

    return Transformer(LlamaForCausalLM.from_pretrained(folder, dtype=dtype).to(device).eval())
