"""A pretrained encoder, a tokenizer and a GLUE folder, each small enough to learn from in a second."""

import json
from pathlib import Path

import pytest

from zoo.models.text_models import TEXT_MODELS, TextSpec

WORDS = ["good", "bad", "film", "plot", "a", "the", "is", "not", "very", "dull", "fine", "."]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


@pytest.fixture
def tiny_row(monkeypatch: pytest.MonkeyPatch) -> str:
    """A text model of tiny sizes, registered for one test."""
    row = TextSpec(name="fles_tiny", config=SIZES, description="tiny", source="test")
    monkeypatch.setitem(TEXT_MODELS._items, row.name, row)
    return row.name


def save_start(folder: Path, **fields: object) -> Path:
    """A transformers BERT with its tokenizer, as a pretrained encoder is stored."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    inner = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=inner, **special).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(**{**SIZES, "vocab_size": len(vocabulary), "max_position_embeddings": 40, **fields})
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_start(tmp_path_factory.mktemp("start"))


@pytest.fixture(scope="session")
def glue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_glue(tmp_path_factory.mktemp("glue"))


def write_glue(folder: Path, word: str = "good") -> Path:
    """sst2 and stsb with a rule that can be learned: the word decides."""
    import datasets

    texts = [f"the film is {how} {word} ." for word in (word, "bad") for how in ("", "very", "a", "the")] * 16
    labels = [int("bad" not in text) for text in texts]
    names = datasets.ClassLabel(names=["negative", "positive"])
    single = datasets.Features({"sentence": datasets.Value("string"), "label": names, "idx": datasets.Value("int32")})
    rows = {"sentence": texts, "label": labels, "idx": list(range(len(texts)))}
    pair = {"sentence1": texts, "sentence2": texts, "label": [5.0 * n for n in labels], "idx": rows["idx"]}
    for task, table in (("sst2", datasets.Dataset.from_dict(rows, single)), ("stsb", datasets.Dataset.from_dict(pair))):
        (folder / task).mkdir(parents=True)
        for split in ("train", "validation"):
            table.to_parquet(folder / task / f"{split}-00000-of-00001.parquet")
    return folder


@pytest.fixture
def recipe_file(tmp_path: Path, start: Path, tiny_row: str) -> Path:
    """The shipped recipe with the tiny model in place of MiniLM."""
    import tomllib

    from zoo.training.texts import finetuning_recipe

    shipped = tomllib.loads((Path(finetuning_recipe.__file__).parent / "recipes/glue.toml").read_text("utf-8"))
    shipped["model"] |= {"name": tiny_row, "start": str(start)}
    shipped["runtime"] |= {"precision": "float32"}
    shipped["optimizer"] |= {"lr": 3e-3}
    shipped["data"] |= {"max_length": 32}
    file = tmp_path / "tiny.json"
    file.write_text(json.dumps(shipped))
    return file
