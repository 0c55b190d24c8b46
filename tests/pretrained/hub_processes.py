"""Run as a script: several processes fetch one repository into one cache, at once and after one of them was killed.

The environment says where the server is. Everything heavy is imported once; each process is a fork.

Usage: python hub_processes.py FOLDER NAME
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.utils import disable_progress_bars

from zoo._files import sha256_of
from zoo.pretrained.fetch import open_hub
from zoo.pretrained.locate import locate

KILL_AT_BYTES = 200_000


def start(name: str, report: Path) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        tag, folder = open_hub(name)
        report.write_text(sha256_of(locate(tag, folder)))
        status = 0
    except Exception as error:  # noqa: BLE001 the report is how a fork says anything
        report.write_text(repr(error))
    os._exit(status)


def finish(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at_once(place: Path, name: str) -> dict:
    children = [start(name, place / f"report{number}") for number in range(2)]
    return {"codes": [finish(child) for child in children], "cache": listing(place), "reports": reports(place)}


def killed(place: Path, name: str) -> dict:
    victim = start(name, place / "report0")
    rest = wait_for(place, KILL_AT_BYTES)
    os.kill(victim, signal.SIGKILL)
    code, left = finish(victim), rest.stat().st_size
    again = finish(start(name, place / "report1"))
    return {"codes": [code, again], "left": left, "cache": listing(place), "reports": reports(place)}


def wait_for(place: Path, size: int) -> Path:
    stop = time.monotonic() + 60
    while time.monotonic() < stop:
        for path in place.rglob("*.incomplete"):
            if path.stat().st_size >= size:
                return path
        time.sleep(0.01)
    raise TimeoutError(f"no download reached {size} bytes")


def listing(place: Path) -> list[str]:
    return sorted(path.name for path in place.glob("*/blobs/*"))


def reports(place: Path) -> list[str]:
    return [path.read_text() for path in sorted(place.glob("report*"))]


def main(folder: Path, name: str) -> None:
    disable_progress_bars()
    constants.DOWNLOAD_CHUNK_SIZE = 16_384
    done = {}
    for scenario in (at_once, killed):
        place = folder / scenario.__name__
        place.mkdir()
        constants.HF_HUB_CACHE = str(place)
        done[scenario.__name__] = scenario(place, name)
    print(json.dumps(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
