"""A classifier of pictures for the output filter: any image classification model of transformers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from PIL.Image import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from pipelines.errors import ModelUnavailable
from pipelines.families import _torch as torch_support
from pipelines.safety import CATEGORIES


class ImageClassifier:
    """Runs on the CPU, so that it takes no memory from the model whose outputs it looks at."""

    def __init__(self, model: Any, processor: Any, categories: Mapping[str, str], threshold: float) -> None:
        self.model = model
        self.processor = processor
        self.columns = {model.config.label2id[label]: category for label, category in categories.items()}
        """The category that each output of the model stands for."""
        self.threshold = threshold

    @classmethod
    def load(cls, weights: Path, categories: Mapping[str, str], threshold: float = 0.5) -> Self:
        """`categories`: the category that a label of the model means, such as `{nsfw = "sexual"}`.
        `threshold`: how likely a label must be.
        """
        with torch_support.load_errors_translated(weights):
            model = AutoModelForImageClassification.from_pretrained(
                weights, use_safetensors=True, local_files_only=True
            ).eval()
            processor = AutoImageProcessor.from_pretrained(weights, local_files_only=True)
        if unknown := set(categories.values()) - CATEGORIES.keys():
            raise ModelUnavailable(f"there is no category {', '.join(sorted(unknown))}")
        if unknown := set(categories) - model.config.label2id.keys():
            raise ModelUnavailable(f"the model has no label {', '.join(sorted(unknown))}")
        return cls(model, processor, categories, threshold)

    def found_in(self, pictures: Sequence[Image]) -> set[str]:
        with torch.inference_mode():
            logits = self.model(**self.processor(images=list(pictures), return_tensors="pt")).logits.float()
        several = self.model.config.problem_type == "multi_label_classification"
        likely = (logits.sigmoid() if several else logits.softmax(dim=1)).amax(dim=0)
        return {category for column, category in self.columns.items() if likely[column] >= self.threshold}
