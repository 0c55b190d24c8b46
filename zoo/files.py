"""Writing files so that nobody ever sees half of one, and telling files apart by their hash."""

import csv
import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import OutputError
from zoo.regular import open_regular
from zoo.scratch import mark_of, remove_abandoned, scratch_file

if TYPE_CHECKING:
    from torch import Tensor

Fill = Callable[[Path], object]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits.

    Raises:
        OSError: there is none, or it is a device or a pipe, which may have no end.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_writable(path: str | Path) -> None:
    """Fail before long work if `path` could not be written after it.

    Raises:
        OutputError: `path` is a folder, or its folder cannot be written.
    """
    target = _place(path)
    if _is_stream(target):
        if not os.access(target, os.W_OK):
            raise OutputError(f"Cannot write {target}: permission denied. Choose a file you may write.")
        return
    folder = next(parent for parent in target.parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _refused(target, error) from error


def write_atomic(path: str | Path, write: Fill) -> Path:
    """Let `write` fill a temporary file beside `path`, then rename it into place.

    A link is followed, and a file that is there keeps its mode. A device, a pipe or /dev/stdout gets the whole content
    once it is made.

    Returns:
        The absolute path written.

    Raises:
        OutputError: the folder is missing, read-only or full, or `path` is a folder. Whatever stood at `path` stays.
    """
    write_together({path: write})
    return Path(path).absolute()


def write_together(files: Mapping[str | Path, Fill], remove: Iterable[str | Path] = ()) -> None:
    """Write several files that belong together: all of them, or none and whatever stood there stays.

    Every file is filled beside its place first; then all are renamed, and put back if one rename fails. Of several
    writers at once the files of one end up there, not some of each. What killed writers of the same files left goes.

    Args:
        files: what fills each.
        remove: what is about older files at these places; gone before the first of `files` appears.

    Raises:
        OutputError: as for `write_atomic`.
    """
    temporaries: dict[Path, Path] = {}
    streams: dict[Path, Path] = {}
    stale = [Path(path).absolute() for path in remove]
    with ExitStack() as held:
        for path, fill in files.items():
            target = _place(path)
            if _is_stream(target):
                streams[target] = Path(held.enter_context(tempfile.TemporaryDirectory())) / target.name
                _run(fill, streams[target], target)
                continue
            temporaries[target] = _temporary(target, held)
            _run(fill, temporaries[target], target)
        several = len(temporaries) + len(stale) > 1
        with _alone({target.parent for target in (*temporaries, *stale)} if several else ()):
            _put_in_place(temporaries, stale)
        for target, whole in streams.items():
            _pour(whole, target)
    for target in (*temporaries, *stale):
        remove_abandoned(target.parent, mark_of(target), target.suffix)


def write_csv(path: str | Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows as CSV in UTF-8, whole or not at all.

    Text that a spreadsheet would take for a formula, since it begins with one of = + - @, gets an apostrophe in front.

    Raises:
        OutputError: the file cannot be written.
    """

    def fill(file: Path) -> None:
        with file.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([_cell(value) for value in row] for row in rows)

    write_atomic(path, fill)


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def write_json(path: str | Path, value: Any) -> Path:
    """Write `value` as indented JSON, atomically; see `write_atomic`."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return write_atomic(path, lambda file: file.write_text(text, encoding="utf-8"))


def write_tensors(path: str | Path, tensors: "Mapping[str, Tensor]", metadata: dict[str, str]) -> Path:
    """Write tensors of any device and memory format as safetensors, atomically; see `write_atomic`.

    The bytes are made in memory, because safetensors' own writer leaves a stray file when it is killed.
    """
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save(plain, metadata=metadata)
    return write_atomic(path, lambda file: file.write_bytes(content))


def _place(path: str | Path) -> Path:
    """The file that is written: what a link leads to, whether it is there yet or not.

    Raises:
        OutputError: it is a folder, or links lead round in a circle.
    """
    target = Path(path).absolute()
    try:
        if target.is_dir():
            raise OutputError(f"Cannot write {target}: it is a folder. Give the name of a file.")
        return target.resolve() if target.is_symlink() and not _is_stream(target) else target
    except (OSError, RuntimeError) as error:  # RuntimeError: a circle, before Python 3.13
        raise OutputError(f"Cannot write {target}: {error}. Give the name of a file.") from error


def _is_stream(target: Path) -> bool:
    """True for what is written to and not replaced: a device, a pipe, or a file that a process has open already."""
    opened = str(target) in ("/dev/stdout", "/dev/stderr") or str(target).startswith(("/dev/fd/", "/proc/"))
    return opened or (target.exists() and not target.is_file())


def _pour(whole: Path, target: Path) -> None:
    try:
        with whole.open("rb") as content, target.open("ab", buffering=0) as stream:
            shutil.copyfileobj(content, stream)
    except OSError as error:
        raise _refused(target, error) from error


def _temporary(target: Path, held: ExitStack) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return held.enter_context(scratch_file(target))
    except OSError as error:
        raise _refused(target, error) from error


def _run(fill: Fill, temporary: Path, target: Path) -> None:
    try:
        fill(temporary)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(stat.S_IMODE(target.stat().st_mode) if target.is_file() else 0o666 & ~mask)
    except OSError as error:
        raise _refused(target, error) from error


@contextmanager
def _alone(folders: Iterable[Path]) -> Iterator[None]:
    """Keep other writers out of these folders; where the system has no such lock, nobody waits."""
    with ExitStack() as held:
        for folder in sorted(folders):
            with suppress(ImportError, OSError):
                import fcntl

                handle = os.open(folder, os.O_RDONLY)
                held.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _put_in_place(temporaries: Mapping[Path, Path], stale: Sequence[Path]) -> None:
    """Remove what is stale and rename each temporary file to its target; bring everything back if that fails or stops.

    One file alone needs no copy of what stood there: it is renamed or it is not.
    """
    several = len(temporaries) + len(stale) > 1
    kept: dict[Path, Path] = {}
    changed: list[Path] = []
    with ExitStack() as copies:
        try:
            for target in (*temporaries, *stale) if several else ():
                if target.exists():  # copied before anything is renamed: a full disk shows while nothing has changed
                    kept[target] = _temporary(target, copies)
                    shutil.copy2(target, kept[target])
            for target in (*stale, *temporaries):
                if several:
                    changed.append(target)
                if target in temporaries:
                    temporaries[target].replace(target)
                else:
                    target.unlink(missing_ok=True)
        except BaseException as error:  # Ctrl-C as well
            for done in changed:
                if done in kept:
                    os.replace(kept[done], done)  # noqa: PTH105 must work while Path.replace is what fails
                else:
                    done.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _refused(target, error) from error
            raise


def _refused(target: Path, error: OSError) -> OutputError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    advice = "Make room there, or choose another place." if full else "Choose a folder you may write to."
    return OutputError(f"Cannot write {target}: {error.strerror or error}. {advice}")
