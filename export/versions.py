"""Versions of the installed distributions, for metadata and reports."""

from zoo.environment import version_of as installed_version


def version_of(distribution: str) -> str:
    """The installed version of a distribution, or "not installed"."""
    return installed_version(distribution) or "not installed"


def runtime_distributions() -> dict[str, str]:
    """The installed distributions that provide the Python package `onnxruntime`, with their versions.

    More than one of them overwrite each other's files, which usually ends on the CPU without a word.
    """
    known = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml", "onnxruntime-qnn")
    found = {name: installed_version(name) for name in known}
    return {name: version for name, version in found.items() if version}
