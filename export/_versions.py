"""Which versions took part, for metadata and reports."""

import importlib.metadata


def version_of(distribution: str) -> str:
    """The installed version of a distribution, or "not installed"."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def runtime_distributions() -> dict[str, str]:
    """The installed distributions that provide the Python package `onnxruntime`, with their versions.

    More than one of them overwrite each other's files, which usually ends on the CPU without a word.
    """
    known = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml", "onnxruntime-qnn")
    found = {name: version_of(name) for name in known}
    return {name: version for name, version in found.items() if version != "not installed"}
