"""A zoo of its own for each test: a tiny model, cards in a temporary folder, a Hub cache of its own."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_texts
import torch
from PIL import Image

from zoo.cards.card import write_card
from zoo.models import MODELS, build_model
from zoo.models.text_models import TEXT_MODELS

from .cases import MODEL, NAME, REPO, RESULTS, SUMMARY, TEXT_NAME, make_tag, make_text_tag
from .hub_server import OWNER, HubServer, Repo


@pytest.fixture(autouse=True)
def tiny_model(monkeypatch):
    """SaluNet-T-CIFAR with one block of width 8: ten thousand times smaller, with the same kinds of parameters.

    And a tiny BERT with FleS.
    """
    spec = MODELS.get("salunet_t_cifar")
    small = {"embed_dim": 8, "depth": 1, "num_heads": 2}
    monkeypatch.setitem(MODELS._items, MODEL, replace(spec, name=MODEL, numbers={**spec.numbers, **small}, reported={}))
    monkeypatch.setitem(TEXT_MODELS._items, tiny_texts.NAME, tiny_texts.SPEC)


@pytest.fixture
def real_pictures():
    """Asked for by a test that looks at pictures of a card: they are drawn, which takes a second each."""


@pytest.fixture(autouse=True)
def quick_pictures(request, monkeypatch):
    """One grey pixel in place of each picture; what it was drawn from is still stamped onto it."""

    def draw(*arguments):
        path = next(value for value in arguments if isinstance(value, Path))
        Image.new("L", (1, 1), 128).save(path)

    if "real_pictures" not in request.fixturenames:
        for name in ("plot_curve", "plot_classes", "plot_geometry", "plot_coefficients"):
            monkeypatch.setattr(f"zoo.cards.pictures.card_pictures.{name}", draw)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch) -> Path:
    """Stands for the root of the source checkout."""
    monkeypatch.setattr("zoo.card_folders.checkout_root", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def cards(root) -> Path:
    return root / "model_cards"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The user's own folder by SALU_ZOO_HOME, before anything is in it."""
    monkeypatch.setenv("SALU_ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """Weights of `tiny_t` for three classes that float16 holds exactly."""
    torch.manual_seed(0)
    values = build_model(MODEL, num_classes=3).state_dict()
    return {key: value.half().float() for key, value in values.items()}


@pytest.fixture(scope="session")
def kept(tmp_path_factory) -> Path:
    """Where cards that are the same for every test wait: to write one takes as long as ten tests."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def card(request, cards, state, kept) -> Path:
    """A card in `model_cards/`, found by its name."""
    kind = "drawn" if "real_pictures" in request.fixturenames else "card"
    return copy_of(kept / kind, cards / NAME, lambda place: write_card(place, state, make_tag()))


def copy_of(card: Path, place: Path, write: Callable[[Path], object]) -> Path:
    """A card that waits, copied to a place; the first time it is written."""
    if not card.exists():
        write(card)
    return Path(shutil.copytree(card, place))


@pytest.fixture
def measured(cards, state, kept) -> Path:
    """A card with results, as one that is published has, and a picture; without a log of training to draw."""

    def write(place: Path) -> None:
        write_card(place, state, make_tag(), {key: RESULTS[key] for key in ("evaluations", "comparisons", "notes")})
        (place / "sample.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1500))

    return copy_of(kept / "measured", cards / NAME, write)


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
def hub(hub_cache, tmp_path, monkeypatch) -> Iterator[HubServer]:
    """A server that huggingface_hub in this process takes for the Hub: no token, no proxy, no wait between attempts."""
    from huggingface_hub import close_session, constants

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no_token"))
    with HubServer() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        close_session()
        yield server
    close_session()


@pytest.fixture
def published(hub, card) -> Repo:
    """The tiny card as `org/pets`, tagged v1.0."""
    return hub.put(REPO, card)


@pytest.fixture
def owner(hub, monkeypatch) -> HubServer:
    """The server, with the owner's token in this process."""
    monkeypatch.setenv("HF_TOKEN", OWNER)
    return hub


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
