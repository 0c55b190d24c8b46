"""A tiny text model, its tokenizer and GLUE files, made on the spot."""

import json
from pathlib import Path

import torch

from zoo.data.tokenize import TextPreprocess
from zoo.models.text_models import TextSpec

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("the", "a", "film", "is", "was", "good", "bad", "very", "not", "dull", "fun", "##ny", "##s", ".", ",")
NAME = "tiny_bert"
LENGTH = 16
SPEC = TextSpec(
    name=NAME,
    config={
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "vocab_size": len(SPECIAL + WORDS),
        "max_position_embeddings": 24,
    },
    description="a tiny BERT with FleS",
    source="made for tests",
)
LABELS = ("negative", "positive")
TEXTS = (
    "the film is good", "a very dull film .", "funny", "not bad , not good", "the films was a very very very dull film",
    "unknown words here", "good good good", "bad", "is it funny ?", "the the the the", "fun , funny , films .", "dull",
)  # fmt: skip


def make_tokenizer() -> str:
    """A lower-casing WordPiece tokenizer of BERT's form, as the JSON of the tokenizers library."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {word: number for number, word in enumerate(SPECIAL + WORDS)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    made.add_special_tokens(list(SPECIAL))
    return made.to_str()


def preprocess(max_length: int = LENGTH) -> TextPreprocess:
    return TextPreprocess(make_tokenizer(), max_length)


def write_tokenizer(folder: Path) -> Path:
    """What transformers' BertTokenizer saves."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(make_tokenizer(), encoding="utf-8")
    tokens = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 24, **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"name_or_path": "/somewhere/else"}))
    return folder


def write_glue(folder: Path, task: str, rows: dict, split: str = "validation", names: tuple[str, ...] = LABELS) -> Path:
    """One split of a task as the Hub's files have it; `rows` maps columns to values, `label` among them."""
    import datasets

    kinds = {name: datasets.Value("string") for name in rows if name != "label"}
    label = datasets.ClassLabel(names=list(names)) if names else datasets.Value("float32")
    features = datasets.Features(kinds | {"label": label})
    file = folder / task / f"{split}-00000-of-00001.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(file))
    return folder


def write_sst2(folder: Path, count: int = len(TEXTS)) -> Path:
    texts = [TEXTS[i % len(TEXTS)] for i in range(count)]
    return write_glue(folder, "sst2", {"sentence": texts, "label": [i % 2 for i in range(count)]})


def make_model(num_classes: int = 2, act: str = "fles", **options) -> torch.nn.Module:
    """The tiny model with weights that are not those of a fresh one; needs `NAME` in the registry."""
    from zoo.models.text_models import build_text_model

    torch.manual_seed(0)
    model = build_text_model(NAME, num_classes=num_classes, act=act, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
            parameter.copy_(parameter.half().float())  # a card's float16 holds it exactly
    return model.eval()
