"""A file in Triton's Python backend: opened as anywhere else, asked by the requests that the server put together.

It stands here and not with what writes repositories, since each instance of a model waits for what this imports.
"""

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from export.errors import ExportError, InputError
from export.runtime.predictor import OnnxPredictor, load_predictor
from zoo.data.photo import decode_photo
from zoo.errors import ZooError

Feeds = dict[str, Tensor]
MODEL, ENCODED, THREADS = "model.onnx", "encoded", "intra_op_thread_count"
"""The file in a version's folder; the input for the bytes of an image's file, numbers and not text, over which Triton
2.51 and older crash with NumPy 2; the parameter of Triton's own ONNX Runtime, which is read here as well."""


class ServedModel:
    """The class that Triton's Python backend makes for each instance, under the name of `TritonPythonModel`."""

    def initialize(self, arguments: dict[str, str]) -> None:
        """Open the version's file on the instance's device.

        Args:
            arguments: of Triton: the configuration, the places of the model and its version, the instance's device.

        Raises:
            ExportError: this Triton is too old, or the file does not open; see `load_predictor`.
        """
        self._triton = _backend()
        config = json.loads(arguments["model_config"])
        on_gpu = arguments["model_instance_kind"] == "GPU"
        self._predictor: Any = load_predictor(
            Path(arguments["model_repository"]) / arguments["model_version"] / MODEL,
            device=f"cuda:{arguments['model_instance_device_id']}" if on_gpu else "cpu",
            threads=int(config["parameters"].get(THREADS, {"string_value": 0})["string_value"]) or None,
        )
        self._one_input = isinstance(self._predictor, OnnxPredictor)
        self._names = [port["name"] for port in config["input"]]
        self._output = config["output"][0]["name"]
        if ENCODED in self._names:
            self._prepared(Image.new("RGB", (64, 64)))  # what this imports, nobody's first image waits for

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer requests, in their order; what is wrong with one of them is answered to that one only."""
        answers: list[Any] = [None] * len(requests)
        together: dict[tuple[Any, ...], list[tuple[int, Feeds]]] = {}
        for number, request in enumerate(requests):
            try:
                feeds = self._feeds(request)
            except ZooError as error:
                answers[number] = self._refusal(error)
            else:
                shapes = tuple((name, value.shape[1:]) for name, value in feeds.items())
                together.setdefault(shapes, []).append((number, feeds))
        for group in together.values():
            for number, answer in self._answer(group):
                answers[number] = answer
        return answers

    def _feeds(self, request: Any) -> Feeds:
        """The inputs of a request; an encoded image is decoded and preprocessed.

        Raises:
            InputError: an input is missing, or an image is given in both forms or not one by one.
            ZooError: the image cannot be decoded, or nothing would be left of it.
        """
        given = {name: self._triton.get_input_tensor_by_name(request, name) for name in self._names}
        feeds = {name: from_dlpack(tensor) for name, tensor in given.items() if tensor is not None}
        if ENCODED not in self._names:
            return feeds
        if len(feeds) != 1:
            raise InputError(
                f"Give one of the inputs {' and '.join(self._names)}; got {' and '.join(feeds) or 'none'}."
            )
        if ENCODED not in feeds:
            return feeds
        if len(feeds[ENCODED]) != 1:
            raise InputError(
                f"{ENCODED} takes one image in each request, the server puts requests together; got "
                f"{len(feeds[ENCODED])}. Send them one by one."
            )
        return {self._names[0]: self._prepared(decode_photo(feeds[ENCODED].numpy().tobytes()).image)}

    def _prepared(self, image: "Image.Image") -> Tensor:
        made: Tensor = self._predictor.preprocess(image)[None]
        return made

    def _answer(self, group: list[tuple[int, Feeds]]) -> list[tuple[int, Any]]:
        """Run requests together; one by one if that fails, so that nobody pays for the mistake of another."""
        feeds = {name: torch.cat([given[name] for _, given in group]) for name in group[0][1]}
        try:
            logits = self._predictor(feeds[self._names[0]] if self._one_input else feeds)
        except ZooError as error:
            if len(group) > 1:
                return [answer for one in group for answer in self._answer([one])]
            return [(group[0][0], self._refusal(error))]
        rows = logits.split([len(given[self._names[0]]) for _, given in group])
        return [(number, self._response(part)) for (number, _), part in zip(group, rows, strict=True)]

    def _response(self, logits: Tensor) -> Any:
        # Not from numpy: up to Triton 2.51 the backend takes arrays of NumPy 2 for empty ones, without a word.
        return self._triton.InferenceResponse([self._triton.Tensor.from_dlpack(self._output, logits)])

    def _refusal(self, error: ZooError) -> Any:
        kinds = self._triton.TritonError
        blame = kinds.INTERNAL if type(error) is ExportError else kinds.INVALID_ARG
        return self._triton.InferenceResponse(error=kinds(str(error), blame))


def _backend() -> Any:
    """The module that Triton's Python backend gives to its models.

    Raises:
        ExportError: it is of a Triton before 2.38, whose errors have no codes.
    """
    backend = import_module("triton_python_backend_utils")  # there is none outside of Triton
    if not hasattr(getattr(backend, "TritonError", None), "INVALID_ARG"):
        raise ExportError(
            "This Triton's Python backend is too old for salu-zoo: its errors have no codes. Take Triton 2.38 (its "
            "container 23.09) or newer, or serve the file with --backend onnxruntime."
        )
    return backend
