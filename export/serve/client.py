"""Ask a Triton server about an image or a text:  python client.py http://localhost:8000 MODEL IMAGE

It needs numpy alone: the protocol is that of KServe, version 2, in JSON. Preprocessing and input come from the model's
configuration on the server, labels from Triton's classification extension.
"""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.edge.errors import EdgeError
from export.edge.images import prepare
from export.edge.pixels import read_image
from export.edge.texts import encode

_TYPES = {"TYPE_FP32": "FP32", "TYPE_INT64": "INT64"}


def classify(url: str, model: str, given: Sequence[str], count: int = 5, version: str = "") -> list[str]:
    """The best classes that a server gives for one image or text, each as "value:number:label".

    Args:
        url: of the server, such as http://localhost:8000.
        model: its name in the repository.
        given: the path of an image, or a text, or a pair of texts.
        count: how many classes.
        version: its number; "" leaves it to the server.

    Raises:
        EdgeError: the server cannot be reached or refuses, or the input cannot be made.
    """
    path = f"{url.rstrip('/')}/v2/models/{model}" + (f"/versions/{version}" if version else "")
    config = _ask(f"{path}/config")
    request = {
        "inputs": _inputs(config, given),
        "outputs": [{"name": config["output"][0]["name"], "parameters": {"classification": count}}],
    }
    answer: list[str] = _ask(f"{path}/infer", request)["outputs"][0]["data"]
    return answer


def _inputs(config: dict[str, Any], given: Sequence[str]) -> list[dict[str, Any]]:
    """The tensors of one sample, in the protocol's JSON."""
    record = json.loads(config["parameters"]["salu_zoo.preprocess"]["string_value"])
    names = [port["name"] for port in config["input"]]
    if "input_size" in record:
        if len(given) != 1:
            raise EdgeError(f"Give the path of one image; got {len(given)} arguments.")
        feeds: dict[str, Any] = {names[0]: prepare(read_image(given[0], record["input_size"][0]), record)}
    elif record["kind"] == "tokens":
        raise EdgeError("This model came without a tokenizer; send token numbers from your own program.")
    else:
        tokenizer = Path(__file__).resolve().parent / "tokenizer.json"
        feeds = dict(encode(given, record, tokenizer.read_text("utf-8")))
    kinds = {port["name"]: _TYPES[port["data_type"]] for port in config["input"]}
    return [
        {"name": name, "shape": list(value.shape), "datatype": kinds[name], "data": np.ravel(value).tolist()}
        for name, value in feeds.items()
    ]


def _ask(url: str, request: dict[str, Any] | None = None) -> dict[str, Any]:
    """GET, or POST of JSON."""
    body = None if request is None else json.dumps(request).encode()
    message = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(message, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        said = error.read().decode("utf-8", "replace")[:300]
        raise EdgeError(f"{url} answers {error.code}: {said}. Is the model there and ready?") from error
    except (OSError, ValueError) as error:
        raise EdgeError(f"No answer from {url}: {error}. Is Triton running there?") from error
    return found


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        print("\n".join(classify(sys.argv[1], sys.argv[2], sys.argv[3:])))
    except EdgeError as problem:
        sys.exit(str(problem))
