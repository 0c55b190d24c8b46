"""The configuration that Triton needs for an exported file; the names of fields and values are those of its schema."""

import hashlib
import json
from typing import Any

from export.deliver.bundle.exported import ExportedFile, ExportedPort
from export.deliver.triton.settings import ServeSettings
from export.errors import ExportError
from export.metadata import PREFIX
from export.runtime.providers import CUDA, TENSORRT
from export.runtime.served_model import ENCODED, MODEL, THREADS
from export.targets import get_target

PROGRAM, LABELS = "model.py", "labels.txt"
ONES = "attention_mask_ones"
"""A file in the model's folder `warmup`: a mask over nothing but zeros would be no text."""
WARMUP_TOKENS = 16
_TYPES = {"float32": "TYPE_FP32", "float16": "TYPE_FP16", "int64": "TYPE_INT64"}
_DIGEST = f"{PREFIX}file_sha256."


def model_config(
    exported: ExportedFile, name: str, digests: dict[int, str], library: str, settings: ServeSettings
) -> dict[str, Any]:
    """The configuration as a dictionary, ready for `export.deliver.triton.schema.to_text`.

    Args:
        exported: the file.
        name: of the model in the repository.
        digests: of the file of each version.
        library: the library of our operators as the server sees it; empty if the file has none.
        settings: how it is to be served.

    Raises:
        TargetError: there is no such target here.
        ExportError: Triton has no way to run files of the target.
    """
    output: dict[str, Any] = _port(exported.outputs[0])
    if exported.metadata.labels:
        output["label_filename"] = LABELS
    accelerators, kind = _place(exported, settings)
    config: dict[str, Any] = {
        "name": name,
        "backend": settings.backend,
        "default_model_filename": PROGRAM if settings.backend == "python" else MODEL,
        "max_batch_size": settings.max_batch_size,
        "input": _inputs(exported, settings),
        "output": [output],
        "instance_group": [{"kind": kind, "count": settings.instances}],
        "version_policy": {"latest": {"num_versions": settings.versions}},
        "parameters": _parameters(exported, digests, settings),
    }
    if settings.max_batch_size > 1:
        config["dynamic_batching"] = {"max_queue_delay_microseconds": settings.max_queue_delay_us}
    if accelerators:
        config["optimization"] = {"execution_accelerators": accelerators}
    if library:
        config["model_operations"] = {"op_library_filename": [library]}
    if settings.warmup:
        sizes = {1, settings.max_batch_size} if kind == "KIND_GPU" else {1}
        config["model_warmup"] = [_warmup(exported, size) for size in sorted(sizes)]
    return config


def kept(config: dict[str, Any]) -> dict[str, Any]:
    """Return the part that all versions of a model share: everything but digests, releases and settings."""
    own = {k: v for k, v in config["parameters"].items() if k.startswith(PREFIX) and not k.startswith(_DIGEST)}
    names = ("backend", "input", "output", "optimization", "model_operations")
    return {name: config.get(name) for name in names} | own


def _port(port: ExportedPort) -> dict[str, Any]:
    # The schema's int64 are text in JSON, and so they come back.
    return {"name": port.name, "data_type": _TYPES[port.kind], "dims": [str(size) for size in port.dims]}


def _inputs(exported: ExportedFile, settings: ServeSettings) -> list[dict[str, Any]]:
    """The file's own, and the one for encoded images in the place of its one."""
    ports = [_port(port) for port in exported.inputs]
    if not settings.encoded_images:
        return ports
    if exported.takes_texts:
        raise ExportError(f"{exported.path.name} takes texts, and encoded_images is of images. Leave it out.")
    encoded = {"name": ENCODED, "data_type": "TYPE_UINT8", "dims": ["-1"], "allow_ragged_batch": True}
    return [port | {"optional": True} for port in (*ports, encoded)]


def _place(exported: ExportedFile, settings: ServeSettings) -> tuple[dict[str, Any], str]:
    """Choose the accelerators of Triton's ONNX Runtime beside its CPU provider, and the kind of device."""
    target, precision = get_target(exported.metadata.target), exported.metadata.precision
    if target.runtime not in ("onnxruntime", "openvino"):
        raise ExportError(f"A file for {target.name} runs in {target.runtime}, not in Triton. Export for portable.")
    for_gpu = bool({CUDA, TENSORRT} & {*target.providers})
    on_gpu = settings.device == "gpu" or (for_gpu and not settings.device)
    if settings.device == "gpu" and (target.runtime == "openvino" or target.own_operators):
        raise ExportError(f"A file for {target.name} runs on the CPU only. Leave the device out, or export another.")
    if for_gpu and not on_gpu and precision == "bfloat16":
        raise ExportError("ONNX Runtime's CPU provider has no bfloat16. Leave the device out, or export in float32.")
    if settings.backend == "python":
        return {}, "KIND_GPU" if on_gpu else "KIND_CPU"
    if target.runtime == "openvino":
        if precision != "float32":
            raise ExportError(
                f"Triton cannot tell OpenVINO to compute in {precision}. Take the backend python, or export in float32."
            )
        return {"cpu_execution_accelerator": [{"name": "openvino"}]}, "KIND_CPU"
    if on_gpu:
        return {"gpu_execution_accelerator": _on_gpu(target.providers[0], precision, settings.engine_cache)}, "KIND_GPU"
    return {}, "KIND_CPU"


def _on_gpu(first: str, precision: str, engine_cache: str) -> list[dict[str, Any]]:
    """TensorRT, if it is the target's first provider, and CUDA."""
    cuda = {"name": "cuda", "parameters": {"use_tf32": str(int(precision == "tf32"))}}
    if first != TENSORRT:
        return [cuda]
    options = {"precision_mode": "FP16" if precision == "float16" else "FP32"}
    if engine_cache:
        options |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": engine_cache}
    return [{"name": "tensorrt", "parameters": options}, cuda]


def _parameters(exported: ExportedFile, digests: dict[int, str], settings: ServeSettings) -> dict[str, Any]:
    record = exported.metadata
    preprocess = {key: value for key, value in record.preprocess.items() if key != "tokenizer"}
    values = {
        f"{PREFIX}model": record.model,
        f"{PREFIX}target": record.target,
        f"{PREFIX}precision": record.precision,
        f"{PREFIX}preprocess": json.dumps(preprocess, ensure_ascii=False),
        **_tokenizer_digest(record.preprocess),
        **({f"{PREFIX}operators": json.dumps(record.operators)} if record.operators else {}),
        **{f"{_DIGEST}{version}": digest for version, digest in sorted(digests.items())},
    }
    if settings.threads:
        values[THREADS] = str(settings.threads)
    return {key: {"string_value": value} for key, value in values.items()}


def _tokenizer_digest(preprocess: dict[str, Any]) -> dict[str, str]:
    """The tokenizer itself, half a megabyte, lies beside the client."""
    tokenizer = preprocess.get("tokenizer")
    return {f"{PREFIX}tokenizer_sha256": hashlib.sha256(tokenizer.encode()).hexdigest()} if tokenizer else {}


def _warmup(exported: ExportedFile, batch: int) -> dict[str, Any]:
    tokens = min(WARMUP_TOKENS, exported.metadata.limits.get("max_length", WARMUP_TOKENS))
    inputs = {}
    for port in exported.inputs:
        dims = [str(tokens if size < 0 else size) for size in port.dims]
        filling = {"input_data_file": ONES} if port.name == "attention_mask" else {"zero_data": True}
        inputs[port.name] = {"data_type": _TYPES[port.kind], "dims": dims, **filling}
    return {"name": f"batch of {batch}", "batch_size": batch, "inputs": inputs}
