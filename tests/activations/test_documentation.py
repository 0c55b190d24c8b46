"""The examples in the docstrings run, and every public name has one line that says what it is."""

import doctest
import importlib

import pytest

import zoo.activations

FILES = ["salu", "swalu", "galu", "fles"]


@pytest.mark.parametrize("name", FILES)
def test_examples_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"zoo.activations.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", zoo.activations.__all__)
def test_public_names_exist_and_explain_themselves(name: str) -> None:
    assert getattr(zoo.activations, name).__doc__
