"""`write_triton_repository`: a model of a Triton repository, and further versions of it."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from export.deliver.bundle.exported import ExportedFile
from export.deliver.bundle.new_folder import check_folder, refused, whole_folder
from export.deliver.triton.batch_independence import check_company
from export.deliver.triton.config import LABELS, kept, model_config
from export.deliver.triton.content import library_name, write_shared, write_version
from export.deliver.triton.schema import from_text, need_schema, to_text
from export.deliver.triton.settings import ServeSettings
from export.native import own_library
from export.runtime.served_model import MODEL
from zoo.errors import ConfigurationError, OutputError
from zoo.files import sha256_of, write_atomic
from zoo.scratch import scratch_folder

CONFIG = "config.pbtxt"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Served:
    """Place of a file in a repository.

    Args:
        path: the model's folder.
        version: the version that holds the file.
        added: whether it was added now; False if that version held the same file already.
    """

    path: Path
    version: int
    added: bool


def write_triton_repository(
    file: str | Path,
    folder: str | Path,
    *,
    name: str | None = None,
    version: int | None = None,
    settings: ServeSettings | None = None,
) -> Served:
    """Add an exported file to a model repository of Triton Inference Server; the repository is made if need be.

    `folder`/NAME then holds config.pbtxt, VERSION/model.onnx with its parity report and an example client, labels.txt,
    and the compiled operators if the file has operators of ours; for the Python backend VERSION/model.py instead of
    them. A model that is there already gets a new version, if its inputs, outputs, labels, preprocessing and target are
    the same; `settings` then hold for all its versions.

    Args:
        file: written by `export`, its parity report beside it.
        folder: the repository.
        name: of the model; None takes the file's own, such as `salunet_c18_cifar.cifar10`.
        version: its number; None takes that of the same file if it is there, else the next.
        settings: how it is to be served; None takes the defaults.

    Raises:
        ExportError: the package with Triton's schema is missing, Triton does not run files of this target, or not on
            that device, or the answer to an image depends on the others of its batch.
        OnnxFileError: the file or its report is missing, damaged or not one of ours.
        OutputError: the repository cannot be written, that version holds another file, or a model of that name is
            another one. Nothing is changed.
        ConfigurationError: the name or the version is not one of Triton's.
        NativeError: the file's operators are of another release, or cannot be compiled.
    """
    need_schema()
    chosen, target = settings or ServeSettings(), check_folder(folder)
    exported = ExportedFile.read(file)
    called = name or exported.metadata.name
    if not _NAME.fullmatch(called) or (version is not None and version < 1):
        raise ConfigurationError(
            f"Triton serves no model {called!r} in version {version or 1}: a name has letters, digits, dots, dashes "
            "and underscores, a version is a whole number from 1. Choose others."
        )
    if chosen.max_batch_size > 1:
        check_company(exported)
    model = target / called
    config = _Config(exported, model, chosen)
    if not model.exists():
        try:
            return _create(model, config, version or 1)
        except OutputError:
            if not model.is_dir():  # another process was first; this one adds a version
                raise
    return _add(model, config, version)


@dataclass(frozen=True)
class _Config:
    """The configuration of a file in a model's folder, for the versions that are there."""

    exported: ExportedFile
    model: Path
    settings: ServeSettings

    def text(self, digests: dict[int, str]) -> str:
        library = library_name(self.exported, self.settings)
        root = self.settings.root or str(self.model.parent)
        path = f"{root.rstrip('/')}/{self.model.name}/{library}" if library else ""
        return to_text(model_config(self.exported, self.model.name, digests, path, self.settings))


def _create(model: Path, config: _Config, version: int) -> Served:
    with whole_folder(model) as work:
        write_shared(work, config.exported, config.settings)
        (work / str(version)).mkdir()
        write_version(work / str(version), config.exported, config.settings)
        (work / CONFIG).write_text(config.text({version: config.exported.sha256}), "utf-8")
    return Served(model, version, True)


def _add(model: Path, config: _Config, version: int | None) -> Served:
    _check_same_model(model, config)
    digests = _digests(model)
    same = [number for number, digest in digests.items() if digest == config.exported.sha256]
    if version in same or (version is None and same):
        number, added = version if version is not None else max(same), False
    elif version in digests:
        raise OutputError(
            f"{model / str(version)} holds another file (sha256 {digests[version][:12]}..., this one "
            f"{config.exported.sha256[:12]}...). Leave the version out for the next free number."
        )
    else:
        number, added = _place(model, config, version), True
    try:
        _write_config(model, config)
    except OutputError:
        if added:
            shutil.rmtree(model / str(number), ignore_errors=True)
        raise
    return Served(model, number, added)


def _place(model: Path, config: _Config, version: int | None) -> int:
    """Put the file into a version of its own; a number that somebody takes meanwhile is passed over."""
    with _stage(model) as work:
        write_version(work, config.exported, config.settings)
        number = version or max(_digests(model), default=0) + 1
        while True:
            try:
                work.rename(model / str(number))
            except OSError:
                if version is not None or not (model / str(number)).exists():
                    raise
                number += 1
            else:
                return number


@contextmanager
def _stage(model: Path) -> Iterator[Path]:
    """A folder inside the model's own, which Triton passes over as it has no number for a name."""
    try:
        with scratch_folder(model, ".version.part-") as work:
            work.chmod(model.stat().st_mode & 0o777)
            yield work
    except OSError as error:
        raise refused(model, error) from error


def _write_config(model: Path, config: _Config) -> None:
    """Write config.pbtxt for all versions there are, again if one was added while it was written."""
    digests: dict[int, str] = {}
    while digests != (found := _digests(model)):
        digests = found
        write_atomic(model / CONFIG, partial(Path.write_text, data=config.text(found), encoding="utf-8"))


def _digests(model: Path) -> dict[int, str]:
    """The digest of each version's file."""
    numbers = sorted(int(path.name) for path in model.iterdir() if re.fullmatch(r"[1-9]\d*", path.name))
    return {number: sha256_of(model / str(number) / MODEL) for number in numbers}


def _is_ours(library: Path) -> bool:
    """True if this installation brought or compiled the library that a server would load for all versions."""
    try:
        return own_library(sha256_of(library)) is not None
    except OSError:
        return False


def _check_same_model(model: Path, config: _Config) -> None:
    """Refuse a version whose clients would have to treat it otherwise than those there are."""
    file = model / CONFIG
    try:
        there = from_text(file.read_text("utf-8"), str(file))
        labels = (model / LABELS).read_text("utf-8") if (model / LABELS).exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{model} is no model of a Triton repository: {error}. Choose another --serve.") from error
    stored, given = kept(there), kept(from_text(config.text({}), "the new configuration"))
    differing = [key for key in stored | given if stored.get(key) != given.get(key)]
    if labels != config.exported.label_lines():
        differing.append("labels")
    library = library_name(config.exported, config.settings)
    if library and not _is_ours(model / library):
        differing.append(f"operators (the library {library} is neither brought by this installation nor compiled here)")
    if differing:
        raise OutputError(
            f"{model} is another model than {config.exported.path}: its {', '.join(sorted(differing))} differ. A new "
            "version must take and give the same; choose another name for this model."
        )
