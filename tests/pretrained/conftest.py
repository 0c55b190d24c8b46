"""A zoo of its own for each test: a tiny model, cards in a temporary folder, a Hub cache of its own."""

import importlib
import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_texts
import torch

from zoo.models import MODELS, build_model
from zoo.models.text import TEXT_MODELS
from zoo.pretrained import write_card

from .cases import MODEL, NAME, SUMMARY, TEXT_NAME, make_tag, make_text_tag


@pytest.fixture(autouse=True)
def tiny_model(monkeypatch):
    """SaluNet-T-CIFAR with one block of width 8: ten thousand times smaller, with the same kinds of parameters.

    And a tiny BERT with FleS.
    """
    spec = MODELS.get("salunet_t_cifar")
    small = {"embed_dim": 8, "depth": 1, "num_heads": 2}
    monkeypatch.setitem(MODELS._items, MODEL, replace(spec, name=MODEL, numbers={**spec.numbers, **small}))
    monkeypatch.setitem(TEXT_MODELS._items, tiny_texts.NAME, tiny_texts.SPEC)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch) -> Path:
    """Stands for the root of the source checkout."""
    for module in ("locate", "adopt"):
        monkeypatch.setattr(importlib.import_module(f"zoo.pretrained.{module}"), "checkout_root", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def cards(root) -> Path:
    return root / "model_cards"


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """Weights of `tiny_t` for three classes that float16 holds exactly."""
    torch.manual_seed(0)
    values = build_model(MODEL, num_classes=3).state_dict()
    return {key: value.half().float() for key, value in values.items()}


@pytest.fixture
def card(cards, state) -> Path:
    """A card in `model_cards/`, found by its name."""
    write_card(cards / NAME, state, make_tag())
    return cards / NAME


@pytest.fixture
def no_network(monkeypatch) -> list[object]:
    """Every attempt to reach another machine fails and is recorded."""
    attempts = []

    def refuse(*args, **kwargs):
        attempts.append(args)
        raise OSError("the network is blocked in this test")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return attempts


@pytest.fixture
def hub_cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of the Hub."""
    from huggingface_hub import constants

    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def text_card(cards, tmp_path) -> Path:
    """A card of a text model in `model_cards/`, found by its name."""
    write_card(
        cards / TEXT_NAME,
        tiny_texts.make_model().state_dict(),
        make_text_tag(),
        tokenizer=tiny_texts.write_tokenizer(tmp_path / "tokenizer"),
    )
    return cards / TEXT_NAME


@pytest.fixture
def finetuned(tmp_path) -> Path:
    """What `zoo finetune` leaves: transformers' files, the recipe and the log."""
    folder = tiny_texts.write_tokenizer(tmp_path / "run")
    model = tiny_texts.make_model()
    model.config.id2label = dict(enumerate(tiny_texts.LABELS))
    model.config.label2id = {label: number for number, label in enumerate(tiny_texts.LABELS)}
    model.save_pretrained(folder)
    (folder / "summary.json").write_text(json.dumps(SUMMARY))
    return folder
