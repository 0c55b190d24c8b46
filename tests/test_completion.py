"""Shell completion: the protocol of each shell, in a process of its own, quick and without importing torch."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.console import completion

# Answers one question after another, each given as environment variables, and says on stderr which heavy modules
# that needed.
ASK = """
import json, os, sys
from zoo.cli import main
for question in json.loads(sys.argv[1]):
    os.environ.update(question)
    try:
        main([])
    except SystemExit:
        print(chr(0), flush=True)
heavy = {"torch", "timm", "transformers", "numpy", "matplotlib", "onnx", "datasets", "huggingface_hub", "PIL", "jinja2"}
print(*sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def ask(repository: Path, *questions: dict[str, str]) -> list[list[str]]:
    """The words of each answer."""
    command = [sys.executable, "-c", ASK, json.dumps(questions)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "", done.stderr
    return [answer.split() for answer in done.stdout.split(chr(0))[:-1]]


def line_of(words: str) -> dict[str, str]:
    """What bash tells of a line whose last word is being typed."""
    return {"_ZOO_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}


def test_names_without_torch_are_those_of_the_registries():
    from zoo.card_folders import card_folder
    from zoo.training import list_recipes
    from zoo.training.texts.finetuning_recipe import list_finetune_recipes
    from zoo.weights.locate import list_pretrained
    from zoo.weights.tag import read_tag

    assert completion.tags() == list_pretrained()
    assert completion.image_tags() == [n for n in list_pretrained() if not read_tag(card_folder(n)).is_text]
    assert (completion.recipes(), completion.finetune_recipes()) == (list_recipes(), list_finetune_recipes())


LINES = {
    "zoo evaluate salunet_c18_cifar.": "salunet_c18_cifar.cifar10",
    "zoo info salunet_c5": "salunet_c50.cifar100",
    "zoo predict x.png --model fles_p": "fles_poolformer_cifar.cifar10",
    "zoo train c18_cifar10_s": "c18_cifar10_short",
    "zoo finetune glue --task ss": "sst2",
    "zoo convert salunet_c18": "salunet_c18_cifar.cifar10",
    "zoo evaluate x --dataset cifar100": "cifar100",
    "zoo export x --target edge_": "edge_int8",
    "zoo export fles_pool": "fles_poolformer_cifar.cifar10",
    "zoo bench salunet_t_": "salunet_t_cifar.cifar100",
    "zoo bench salunet_c50 --target edge_": "edge_cpu",
    "zoo bench --targ": "--target",
    "zoo bench ke": "kernels",
    "zoo bench kernels --op salu_add_sw": "salu_add_swalu",
    "zoo list we": "weights",
    "zoo card fles_m": "fles_minilm_l6.sst2",
}


def test_values_complete(repository: Path) -> None:
    answers = ask(repository, *map(line_of, LINES))
    for (line, some), found in zip(LINES.items(), answers, strict=True):
        assert some in found, line
        assert all(answer.startswith(line.split(" ")[-1]) for answer in found), line


def test_zsh_and_fish_get_the_same(repository: Path) -> None:
    words = {"_TYPER_COMPLETE_ARGS": "zoo evaluate salunet_c18_cifar."}
    zsh = {"_ZOO_COMPLETE": "complete_zsh"}
    fish = {"_ZOO_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    answers = ask(repository, zsh | words, fish | words)
    assert "salunet_c18_cifar.cifar10" in " ".join(answers[0])
    assert "salunet_c18_cifar.cifar10" in answers[1]


def test_each_shell_gets_its_script(repository: Path) -> None:
    signs = {"bash": "complete -o default -F _zoo_completion zoo", "zsh": "#compdef zoo", "fish": "complete --command"}
    answers = ask(repository, *({"_ZOO_COMPLETE": f"source_{shell}"} for shell in signs))
    for sign, found in zip(signs.values(), answers, strict=True):
        assert sign in " ".join(found)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_once_it_is_installed(repository: Path, tmp_path: Path) -> None:
    """`--install-completion` into a home of its own; then bash reads it and fills COMPREPLY."""
    env = {**os.environ, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    install = [sys.executable, "-m", "zoo", "--install-completion", "bash"]
    done = subprocess.run(install, cwd=repository, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".bashrc").is_file()
    (tmp_path / "zoo").write_text(f'#!/bin/sh\nexec {sys.executable} -m zoo "$@"\n')
    (tmp_path / "zoo").chmod(0o755)
    code = """
    . "$HOME/.bashrc"
    COMP_WORDS=(zoo train c18_cifar10_s); COMP_CWORD=2; _zoo_completion "$HOME/zoo"; echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "-c", code], cwd=repository, env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["c18_cifar10_short"], done.stderr
