"""Ask a server about an image or a text:  python client.py http://localhost:8000 MODEL IMAGE

It needs numpy, for images also Pillow, for texts tokenizers. The protocol is KServe's, version 2, in JSON, which Triton
and other servers speak; preprocessing, tokenizer and labels lie beside this program.
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
from export.edge.images import prepare, read_image
from export.edge.texts import encode

_HERE = Path(__file__).resolve().parent


def classify(url: str, model: str, given: Sequence[str], count: int = 5, version: str = "") -> list[str]:
    """The best classes that a server gives for one image or text, each as "logit:number:label".

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
    try:
        ports = _ask(path)
        request = {"inputs": _inputs(ports["inputs"], given), "outputs": [{"name": ports["outputs"][0]["name"]}]}
        logits = np.ravel(_ask(f"{path}/infer", request)["outputs"][0]["data"])
    except (KeyError, IndexError, TypeError) as error:
        raise EdgeError(
            f"{path} does not answer as KServe's protocol, version 2, says. Is it the server's URL?"
        ) from error
    file = _HERE / "labels.txt"
    labels = file.read_text("utf-8").splitlines() if file.exists() else [""] * len(logits)
    return [f"{logits[i]:f}:{i}:{labels[i]}" for i in np.argsort(-logits, kind="stable")[:count]]


def _inputs(ports: Sequence[dict[str, Any]], given: Sequence[str]) -> list[dict[str, Any]]:
    """The tensors of one sample, in the protocol's JSON."""
    record = json.loads((_HERE / "preprocess.json").read_text("utf-8"))
    if "input_size" in record:
        if len(given) != 1:
            raise EdgeError(f"Give the path of one image; got {len(given)} arguments.")
        ports = ports[:1]  # a second one is for the same as the bytes of a file, which JSON does not hold well
        feeds: dict[str, Any] = {ports[0]["name"]: prepare(read_image(given[0], record["input_size"][0]), record)}
    elif record["kind"] == "tokens":
        raise EdgeError("This model came without a tokenizer; send token numbers from your own program.")
    else:
        feeds = dict(encode(given, record, (_HERE / "tokenizer.json").read_text("utf-8")))
    return [
        {"name": p["name"], "shape": list(value.shape), "datatype": p["datatype"], "data": np.ravel(value).tolist()}
        for p, value in ((port, feeds[port["name"]]) for port in ports)
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
        raise EdgeError(
            f"{url} answers {error.code}: {said}. Is the model there and ready, and does the server speak KServe's "
            "protocol, version 2?"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise EdgeError(f"No answer from {url}: {error}. Is a server running there?") from error
    return found


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        print("\n".join(classify(sys.argv[1], sys.argv[2], sys.argv[3:])))
    except EdgeError as problem:
        sys.exit(str(problem))
