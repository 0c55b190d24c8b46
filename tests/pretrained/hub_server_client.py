"""This process as a client of the loopback server: its address, no token, no proxy, no waiting between attempts."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants, file_download
from huggingface_hub.utils import _http

from zoo._files import write_json
from zoo.pretrained import read_tag, render_card, write_card

from .cases import NAME, RESULTS, make_tag
from .hub_server import OWNER, HubServer
from .hub_server_repos import File, Repo

REPO = "org/pets"
# Without a log of training: then there is no picture to draw, which takes half a second.
MEASURED = {key: RESULTS[key] for key in ("evaluations", "comparisons", "notes")}
# huggingface_hub's own, in the threads that upload.
UPLOADS = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(hub_cache, tmp_path, monkeypatch) -> Iterator[HubServer]:
    """A server that huggingface_hub in this process takes for the Hub."""
    with HubServer() as server:
        go_online(monkeypatch, server.url, tmp_path)
        yield server
    _http.close_session()


@pytest.fixture
def published(hub, card) -> Repo:
    """The tiny card as `org/pets`, tagged v1.0."""
    return put_repo(hub, REPO, card)


@pytest.fixture
def owner(hub, monkeypatch) -> HubServer:
    """The server, with the owner's token in this process."""
    monkeypatch.setenv("HF_TOKEN", OWNER)
    return hub


def copy_of(card: Path, place: Path, write: Callable[[Path], object]) -> Path:
    """A card that waits, copied to a place; the first time it is written."""
    if not card.exists():
        write(card)
    return Path(shutil.copytree(card, place))


@pytest.fixture
def measured(cards, state, kept) -> Path:
    """A card with results, as one that is published has, and a picture."""

    def write(place: Path) -> None:
        write_card(place, state, make_tag(), MEASURED)
        (place / "sample.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1500))

    return copy_of(kept / "measured", cards / NAME, write)


def note(folder: Path, text: str) -> None:
    """Change results.json and README.md of a card, and draw nothing."""
    write_json(folder / "results.json", {**read_tag(folder).results, "notes": [text]})
    (folder / "README.md").write_text(render_card(folder))


def go_online(monkeypatch, url: str, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no_token"))
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 256)
    for module in (_http, file_download):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda seconds: None, time=time.time))
    _http.close_session()


def put_repo(hub: HubServer, name: str, folder: Path, private: bool = False) -> Repo:
    """A card's folder as a repository with the tag v1.0."""
    repo = hub.repos[name] = Repo(name, private)
    files = {path.name: File(path.read_bytes(), b"\0" in path.read_bytes()) for path in folder.iterdir()}
    hub.large |= {file.sha256: file.content for file in files.values() if file.lfs}
    repo.tags["v1.0"] = repo.commit(files, "publish").id
    return repo


def blobs(cache: Path, name: str = REPO) -> dict[str, bytes]:
    """What the cache holds of a repository, temporary files included."""
    folder = cache / f"models--{name.replace('/', '--')}" / "blobs"
    return {path.name: path.read_bytes() for path in folder.glob("*")}


def assert_sound(cache: Path, name: str = REPO) -> None:
    """Every file is complete and what its name says; nothing is left of broken downloads."""
    for key, content in blobs(cache, name).items():
        assert key in (File(content).blob_id, File(content).sha256), f"{key} is broken"
    links = list((cache / f"models--{name.replace('/', '--')}" / "snapshots").glob("*/*"))
    assert all(link.exists() for link in links)
