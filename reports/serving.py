"""What a server costs: requests a second of some clients, beside threads that ask a session of the same file directly.

    python reports/serving.py c18.onnx --model c18 --url 127.0.0.1:8001 --report reports/serving.json

The server runs already, over the file's repository. A client is a thread with a connection of its own (gRPC, one image
in each request); a bare thread has the session of one thread that the server has, too. Both take turns. A report that
is there is added to: a file's rows are replaced.
"""

import argparse
import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tritonclient import grpc

from export import open_session
from export.metadata import FileMetadata

Ask = Callable[[], object]
CLIENTS = (1, 2, 8)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """The command line; returns the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", required=True, help="its name in the server's repository")
    parser.add_argument("--url", required=True, help="host:port of gRPC")
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=4, help="of one turn")
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args(argv)
    session = open_session(given.file, threads=1, spin=False)
    target = FileMetadata.from_props(session.get_modelmeta().custom_metadata_map, str(given.file)).target
    x = np.random.default_rng(0).normal(size=(1, *session.get_inputs()[0].shape[1:])).astype(np.float32)
    direct, served = (lambda: lambda: session.run(None, {"image": x})), (lambda: client(given.url, given.model, x))
    rows = [
        {"model": given.model, "target": target, "clients": count} | turns(direct, served, count, given)
        for count in CLIENTS
    ]
    before = json.loads(given.report.read_text("utf-8")) if given.report.exists() else {"rows": []}
    report = {
        "about": __doc__,
        "cores": os.cpu_count(),
        "onnxruntime": onnxruntime.__version__,
        "server": grpc.InferenceServerClient(given.url).get_server_metadata().version,
        "rows": [row for row in before["rows"] if row["model"] != given.model] + rows,
    }
    given.report.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return report


def client(url: str, model: str, x: np.ndarray) -> Ask:
    """A connection that asks for one answer at each call."""
    connection, asked = grpc.InferenceServerClient(url), grpc.InferInput("image", list(x.shape), "FP32")
    asked.set_data_from_numpy(x)
    return lambda: connection.infer(model, [asked])


def turns(
    direct: Callable[[], Ask], served: Callable[[], Ask], count: int, given: argparse.Namespace
) -> dict[str, Any]:
    """Medians over the turns of both rates, and of the ratios within a turn."""
    pairs = [(rate(direct, count, given.seconds), rate(served, count, given.seconds)) for _ in range(given.turns)]
    ratios = sorted(other / bare for bare, other in pairs)
    bare, other = (statistics.median(values) for values in zip(*pairs, strict=True))
    found = {"bare": bare, "served": other, "ratio": statistics.median(ratios), "ratios": ratios}
    return found | {"load": os.getloadavg()[0]}


def rate(make: Callable[[], Ask], count: int, seconds: float) -> float:
    """Answers a second of `count` threads together, after half a second."""
    done, over = [0] * count, threading.Event()

    def work(number: int) -> None:
        ask = make()
        while not over.is_set():
            ask()
            done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    first, start = sum(done), time.perf_counter()
    time.sleep(seconds)
    found = (sum(done) - first) / (time.perf_counter() - start)
    over.set()
    for thread in threads:
        thread.join()
    return found


if __name__ == "__main__":
    main()
