"""Folders of a small image model, a small text model, and a small model with operators of our own."""

import pytest

from export.deliver.bundle import write_bundle


@pytest.fixture(scope="session")
def bundled(exported, tmp_path_factory):
    """The folder of `tiny()`."""
    return write_bundle(exported.path, tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="session")
def text_bundled(text_exported, tmp_path_factory):
    """The folder of `text_model()`."""
    return write_bundle(text_exported.path, tmp_path_factory.mktemp("bundle") / "text")


@pytest.fixture(scope="session")
def own_bundled(with_operators, tmp_path_factory):
    """The folder of the file with operators of our own."""
    return write_bundle(with_operators.path, tmp_path_factory.mktemp("bundle") / "own")
