"""The pages' InferenceService, held against what KServe publishes about it.

inference_service.json has the types, the fields that must be there, and those of the fields that the pages use, out of
KServe's custom resource `inferenceservices.serving.kserve.io`, v1beta1.
"""

import json
import re
from pathlib import Path

import pytest
import yaml

PUBLISHED = json.loads((Path(__file__).parent / "inference_service.json").read_text("utf-8"))
TYPES = {"object": dict, "string": str, "integer": int}


def problems(value, schema, place=""):
    """What does not fit; a field that is not known is none of a cluster's either: it would drop it."""
    if not isinstance(value, TYPES[schema["type"]]):
        return [f"{place} is no {schema['type']}"]
    if "properties" not in schema:
        return []
    known = schema["properties"]
    found = [f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value]
    found += [f"{place}.{name} is unknown" for name in value if name not in known]
    return found + [p for name in value if name in known for p in problems(value[name], known[name], f"{place}.{name}")]


@pytest.fixture
def written(repository):
    (block,) = re.findall(r"```yaml\n(.*?)```", (repository / "docs/serving.md").read_text("utf-8"), flags=re.DOTALL)
    return yaml.safe_load(block)


def test_it_is_one(written):
    assert (written["apiVersion"], written["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert problems(written, PUBLISHED) == []


def test_a_mistake_would_be_seen(written):
    predictor = written["spec"]["predictor"]
    predictor["maxReplicas"] = "8"
    predictor["model"]["storageUrl"] = predictor["model"].pop("storageUri")
    del predictor["model"]["modelFormat"]["name"]
    assert set(problems(written, PUBLISHED)) == {
        ".spec.predictor.maxReplicas is no integer",
        ".spec.predictor.model.storageUrl is unknown",
        ".spec.predictor.model.modelFormat.name is missing",
    }
