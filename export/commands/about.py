"""Facts about an export target for `zoo info`."""

from dataclasses import asdict
from typing import Any

from export.targets import get_target


def about_target(name: str) -> dict[str, Any]:
    """The facts of a target, without those that are empty, and what to type next."""
    target = get_target(name)
    facts = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(target).items()}
    return {key: value for key, value in facts.items() if value != ""} | {
        "next": [f"zoo export MODEL.TAG --target {name}", f"zoo bench MODEL.TAG --target {name}"]
    }
