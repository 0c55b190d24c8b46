"""Who is asked over the network: nobody while offline, names of hosts neither; online the endpoint alone."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from hostile.conftest import Answer, Server, reply

CARD = "salunet_c18_cifar.cifar10"
HERE = ["--device", "cpu", "--workers", "2", "--limit", "4"]
SAMPLE = "demo/cifar10_sample"
# Each as it is typed; TMP is a folder with photo.png. Those that ask the Hub for what is not here must fail, the others
# must not.
WORK: dict[str, tuple[int, ...]] = {
    "list models --json": (0,),
    f"info {CARD}": (0,),
    f"evaluate {CARD} --dataset cifar10 --data {SAMPLE} {' '.join(HERE)} --output TMP/result.json": (0,),
    f"predict TMP/photo.png --model {CARD} --device cpu": (0,),
    f"export {CARD} --output TMP/new.onnx --bundle TMP/bundle": (0,),
    f"validate TMP/new.onnx {CARD}": (0,),
    "predict TMP/photo.png --model TMP/new.onnx --device cpu": (0,),
    f"evaluate TMP/new.onnx --dataset cifar10 --data {SAMPLE} {' '.join(HERE)}": (0,),
    "info hf-hub:org/repo": (1,),
    "predict TMP/photo.png --model hf-hub:org/repo@main": (1,),
    "predict TMP/photo.png --model timm/resnet18.a1_in1k": (1,),
    f"evaluate {CARD} --dataset cifar100 --workers 0": (1,),
    "evaluate fles_minilm_l6.sst2 --task sst2": (1,),
    "train c18_cifar10 --output TMP/run": (1,),
    "finetune glue --output TMP/texts": (1,),
    "finetune resnet18 --data TMP/photos --output TMP/images": (1,),
    "convert timm/resnet18.a1_in1k --output TMP/timm": (1,),
    f"push {CARD} --repo org/repo": (0, 1),
}
# Python's audit events see every socket of Python, those of libraries and of worker processes among them.
RUN = """
import contextlib, io, json, os, socket, sys

asked = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
allowed = json.loads(sys.argv[2])

def watch(event, given):
    if event not in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        if given[0].family == socket.AF_UNIX:
            return  # between processes of this machine
        place = list(given[1][:2]) if given[1] else []
    else:
        place = [given[0], given[1] if len(given) > 1 else None]
    os.write(asked, (json.dumps([event, *map(str, place)]) + "\\n").encode())
    if [str(part) for part in place] != allowed:
        raise OSError("no way out")

sys.addaudithook(watch)
from zoo import cli

for command in json.loads(sys.argv[3]):
    said = io.StringIO()
    status = 0
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            cli.main(command.split())
    except SystemExit as error:
        status = error.code or 0
    print(json.dumps([command, status, said.getvalue()[-600:]]))
"""


def work(tmp_path: Path, repository: Path, allowed: list[str], **environment: str) -> list[list[str]]:
    """Run all commands in one process; who was asked."""
    Image.new("RGB", (32, 32)).save(tmp_path / "photo.png")
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (32, 32)).save(tmp_path / "photos" / name / f"{number}.png")
    commands = {command.replace("TMP", str(tmp_path)): status for command, status in WORK.items()}
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), "")
    settings = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_CACHE": str(tmp_path / "hf/hub"), "HF_TOKEN": "", **proxies}
    settings |= {"OMP_NUM_THREADS": "1", "HF_DATASETS_CACHE": str(tmp_path / "hf/datasets"), **environment}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "asked"), json.dumps(allowed), json.dumps(list(commands))],
        cwd=repository, env={**os.environ, **settings}, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [command for command, *_ in answers] == list(commands)
    (tmp_path / "answers").write_text(done.stdout)
    wrong = [answer for answer in answers if answer[1] not in commands[answer[0]] or "Nobody foresaw" in answer[2]]
    assert not wrong, wrong
    return [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]


@pytest.mark.slow
def test_nobody_is_asked_while_offline(tmp_path: Path, repository: Path) -> None:
    assert work(tmp_path, repository, [], HF_HUB_OFFLINE="1") == []


@pytest.mark.slow
def test_nobody_but_the_endpoint_is_asked_online(
    tmp_path: Path, repository: Path, serve: Callable[[Answer], Server]
) -> None:
    server = serve(lambda handler: reply(handler, 404, {"X-Error-Code": "RepoNotFound"}, b"{}"))
    place = server.url.removeprefix("http://").split(":")
    asked = work(tmp_path, repository, place, HF_HUB_OFFLINE="0", HF_ENDPOINT=server.url)
    assert {tuple(to) for _, *to in asked} == {tuple(place)}
    assert any("org/repo" in path for _, path, _ in server.heard)
