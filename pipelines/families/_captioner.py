"""Says in words what a picture shows, for models that are set in motion by words only."""

import re
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageClassification, PreTrainedModel

PRONOUN = re.compile(r"\b(it|the (thing|picture|image))\b", re.IGNORECASE)


class Captioner:
    """An image classifier of transformers whose labels are pieces of a caption: `ground: at sea,`,
    `colour: the red`, `thing: boat`. Of each sort, in the order of the labels, the likeliest is said."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model.eval()
        self.sorts: dict[str, list[tuple[int, str]]] = {}
        for number, label in sorted(model.config.id2label.items()):
            sort, _, words = label.partition(": ")
            self.sorts.setdefault(sort, []).append((number, words))

    @classmethod
    def load(cls, folder: Path, beside: torch.nn.Module) -> Self:
        """On the device and in the format of the model `beside` it."""
        how = {"dtype": beside.dtype, "use_safetensors": True, "local_files_only": True}
        return cls(AutoModelForImageClassification.from_pretrained(folder, **how).to(beside.device))

    def caption(self, picture: Image.Image) -> str:
        """ "at sea, the red boat"; looked at by itself, so that no other picture changes what is said."""
        with torch.inference_mode():
            pixels = pixels_of(picture, self.model.config.image_size)[None]
            (scores,) = self.model(pixels.to(self.model.device, self.model.dtype)).logits.tolist()
        best = (max(labels, key=lambda label: scores[label[0]]) for labels in self.sorts.values())
        return " ".join(words for _, words in best)


def pixels_of(picture: Image.Image, side: int) -> torch.Tensor:
    """(3, side, side) of −1 to 1."""
    small = picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1) / 127.5 - 1


def with_caption(prompt: str, caption: str) -> str:
    """ "it rises" and "at sea, the red boat" as "at sea, the red boat rises".

    A prompt that names the caption's last word, "the boat rises", stays as it is: a thing that is named twice
    becomes two.
    """
    name = caption.rpartition(" ")[2]
    if re.search(rf"\b{re.escape(name)}\b", prompt, re.IGNORECASE):
        return prompt
    said, replaced = PRONOUN.subn(lambda _: caption, prompt, count=1)
    return said if replaced else f"{caption} {prompt}".strip()
