"""The rival that batches what comes in at once: LitServe. `python -m tests.bench.picture_server PORT`"""

import sys
from pathlib import Path
from typing import Any

import litserve
from PIL import Image

BATCH = 8
WINDOW_SECONDS = 0.05
"""How long it waits for a batch to fill; all requests are there by then."""


class Pictures(litserve.LitAPI):
    """`{"number": …, "file": …}`: makes the picture and writes it there."""

    def setup(self, device: str) -> None:
        from tests.bench import pictures  # loads torch, which only this process of the server needs

        self.pictures, self.maker = pictures, pictures.Maker()

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    def predict(self, batch: list[dict[str, Any]]) -> list[tuple[Image.Image, str]]:
        made = self.maker.make([request["number"] for request in batch])
        return [(picture, request["file"]) for picture, request in zip(made, batch, strict=True)]

    def encode_response(self, output: tuple[Image.Image, str]) -> dict[str, str]:
        picture, file = output
        self.pictures.write(picture, Path(file))
        return {"file": file}


if __name__ == "__main__":
    api = Pictures(max_batch_size=BATCH, batch_timeout=WINDOW_SECONDS)
    server = litserve.LitServer(api, accelerator="cpu", timeout=600)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
