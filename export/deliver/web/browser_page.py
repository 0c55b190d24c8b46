"""`write_page`: a folder any file server can serve, around an exported file."""

import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from export.deliver.web.notices import notices
from export.deliver.web.ort_web import FILES, OrtWeb, find_ort_web
from export.deliver.web.record import TARGETS, check_suits, describe_check, describe_model, steady_picture
from export.deliver.web.samples import as_png, collect_samples
from export.edge.errors import EdgeError
from export.edge.manifest import read_regular
from export.errors import OnnxFileError, WebPageError
from export.parity.shipped import shipped_images
from export.runtime.open_file import open_for_target
from export.runtime.predictor import open_predictor
from zoo.errors import OutputError
from zoo.scratch import scratch_folder

ASSETS = ("index.html", "style.css", "app.js", "view.js", "worker.js", "decode.js", "preprocess.js")
RECORD, MODEL, CHECK, NOTICES = "model.json", "model.onnx", "check.png", "LICENSES.txt"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class PageResult:
    """Result of writing a page.

    Args:
        folder: the page, to be served.
        files: how many files it has.
        size_bytes: of all of them.
        model: public name of the model.
        runtime: onnxruntime-web and its version.
        samples: how many images it offers.
    """

    folder: Path
    files: int
    size_bytes: int
    model: str
    runtime: str
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return vars(self) | {"folder": str(self.folder)}


def write_page(
    file: str | Path,
    folder: str | Path,
    *,
    images: str | Path | Sequence[str | Path] | None = None,
    ort_web: str | Path | OrtWeb | None = None,
) -> PageResult:
    """Write a static page that classifies images with an exported file, in the visitor's browser.

    Any file server serves it (`python -m http.server -d FOLDER`); it loads nothing from elsewhere and sends no image
    anywhere. With WebGPU where the browser has it, else WebAssembly: one thread, or several where the server sends the
    headers of cross-origin isolation.

    Args:
        file: an image model, exported for target `web` or `portable`.
        folder: the page; a new folder, an empty one, or an earlier page, which is replaced.
        images: what it offers to try: a folder of images, a file or several; None takes CIFAR-10 test images.
        ort_web: a copy of onnxruntime-web; see `find_ort_web`.

    Returns:
        The folder and its size.

    Raises:
        OnnxFileError: the file is missing, damaged or not one of ours.
        WebPageError: a page cannot be made of it.
        WebRuntimeError: onnxruntime-web cannot be had.
        DataNotFoundError: an image is missing or unreadable.
        OutputError: the folder holds something else, or cannot be written; nothing changes then.
    """
    target = check_page_folder(folder)
    predictor = open_predictor(Path(file).absolute(), partial(open_for_target, file))
    suited = check_suits(predictor, predictor.metadata, str(file))
    content = _read(Path(file))
    runtime = ort_web if isinstance(ort_web, OrtWeb) else find_ort_web(ort_web)
    samples, note = collect_samples(images)
    pictures = shipped_images()
    picture = pictures[steady_picture(suited, [suited.preprocess(image) for image in pictures])]
    parts: dict[str, bytes] = {MODEL: content, CHECK: as_png(picture)}
    parts |= {f"runtime/{_served(name)}": runtime.files[name] for name in FILES}
    parts |= {sample.file: sample.content for sample in samples}
    record = describe_model(suited.metadata, content) | {
        "check": describe_check(suited, picture, CHECK),
        "samples": [{"file": sample.file, "title": sample.title} for sample in samples],
        "samples_note": note,
        "runtime": f"onnxruntime-web {runtime.version}",
    }
    parts |= _assets(suited.metadata.name)
    parts[NOTICES] = notices(record).encode()
    _place(parts | {RECORD: _as_json(record, parts)}, target)
    sizes = [len(part) for part in parts.values()]
    return PageResult(
        folder=target,
        files=len(sizes) + 1,
        size_bytes=sum(sizes) + (target / RECORD).stat().st_size,
        model=suited.metadata.name,
        runtime=record["runtime"],
        samples=len(samples),
    )


def check_page(folder: str | Path, target: str) -> None:
    """Fail before a model is exported for a page, not after it.

    Raises:
        WebPageError: a file of that target does not run in browsers.
        OutputError: the folder holds something else.
        WebRuntimeError: onnxruntime-web cannot be had.
    """
    if target not in TARGETS:
        raise WebPageError(f"--page with --target {target}: a page needs standard operators. Use --target web.")
    check_page_folder(folder)
    find_ort_web()


def check_page_folder(folder: str | Path) -> Path:
    """The absolute path, if a page may be written there: nothing, an empty folder, or an earlier page and no more.

    Raises:
        OutputError: it is a file, or a folder with other content.
    """
    target = Path(folder).absolute()
    if target.is_dir():
        found = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
        foreign = sorted(found - _own_files(target))
        if foreign:
            raise OutputError(
                f"Cannot write a page to {target}: the folder holds {foreign[0]}"
                f"{f' and {len(foreign) - 1} more files' if len(foreign) > 1 else ''} that no page put there. "
                "Name a new folder, or empty this one."
            )
    elif target.exists() or target.is_symlink():
        raise OutputError(f"Cannot write a page to {target}: it is a file. Name a folder.")
    return target


def _own_files(folder: Path) -> set[str]:
    """The files an earlier page in the folder consists of, as its record names them; none if there is no page."""
    with suppress(EdgeError, ValueError, TypeError, KeyError, RecursionError):
        record = json.loads(read_regular(folder / RECORD))
        if record["page"] == FORMAT:
            return {RECORD, *record["files"]}
    return set()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise OnnxFileError(f"Cannot read {file}: {error.strerror}.") from error


def _served(name: str) -> str:
    """The name on the page: not every file server knows that .mjs is JavaScript, and browsers insist on it."""
    return name.replace(".mjs", ".js")


def _assets(model: str) -> dict[str, bytes]:
    found = {name: (resources("export.deliver.web") / "assets" / name).read_bytes() for name in ASSETS}
    found["index.html"] = found["index.html"].replace(b"{{model}}", html.escape(model).encode())
    return found


def _as_json(record: Mapping[str, Any], parts: Mapping[str, bytes]) -> bytes:
    listed = {
        name: {"bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()} for name, part in sorted(parts.items())
    }
    return (json.dumps({"page": FORMAT, **record, "files": listed}, indent=1, ensure_ascii=False) + "\n").encode()


def _place(parts: Mapping[str, bytes], target: Path) -> None:
    """Fill a folder beside the target, then rename it into place; what stood there comes back if that fails."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(target.parent, f".{target.name}.part-") as made:
            kept = made.with_name("before")
            for name, part in parts.items():
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                (made / name).write_bytes(part)
            check_page_folder(target)  # once more: somebody may have put something there meanwhile
            if target.is_dir():
                target.rename(kept)
            try:
                made.rename(target)
            except OSError:
                if kept.exists():
                    kept.rename(target)
                raise
    except OSError as error:
        raise OutputError(
            f"Cannot write a page to {target}: {error.strerror or error}. Choose a folder you may write to."
        ) from error
