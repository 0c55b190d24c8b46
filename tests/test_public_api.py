"""What `zoo` and `export` offer: the list is complete, every name exists, is documented and is typed."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("zoo", "export")
# Parameters Python binds by itself.
BOUND = {"self", "cls"}


def packages() -> list[str]:
    """Every package that declares `__all__`, by its dotted name."""
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("__init__.py"))]
    return [
        ".".join(path.parent.relative_to(ROOT).parts) for path in found if "__all__" in path.read_text(encoding="utf-8")
    ]


def bound_names(package: str) -> set[str]:
    """The public names that `package/__init__.py` defines, and for a top package re-exports; read from its source."""
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree) if package in PACKAGES else ():
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] in PACKAGES):
            names.update(name.asname or name.name for name in node.names)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    return {name for name in names if not name.startswith("_")}


def public_objects() -> list[tuple[str, str]]:
    return [(package, name) for package in packages() for name in importlib.import_module(package).__all__]


def test_both_packages_say_what_is_public() -> None:
    assert set(PACKAGES) <= set(packages())


@pytest.mark.parametrize("package", packages())
def test_all_is_what_the_package_binds(package: str) -> None:
    declared = list(importlib.import_module(package).__all__)
    assert len(declared) == len(set(declared)), "a name is listed twice"
    assert bound_names(package) <= set(declared), "public by its name, but not in __all__: list it or rename it"


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_and_star_agree_with_all(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))
    assert all(hasattr(module, name) for name in module.__all__)
    assert not hasattr(module, "no_such_name")


@pytest.mark.parametrize(("package", "name"), public_objects(), ids=lambda value: str(value))
def test_every_public_name_is_documented_and_typed(package: str, name: str) -> None:
    thing = getattr(importlib.import_module(package), name)
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return  # A constant or a registry; mypy knows its type.
    assert (inspect.getdoc(thing) or "").strip(), f"{package}.{name} has no docstring"
    assert thing.__module__.split(".")[0] in PACKAGES
    functions = [thing] if inspect.isfunction(thing) else [f for f in vars(thing).values() if inspect.isfunction(f)]
    for function in functions:
        if function.__name__.startswith("_") and function.__name__ != "__init__":
            continue
        signature = inspect.signature(function)
        untyped = [p.name for p in signature.parameters.values() if p.annotation is p.empty and p.name not in BOUND]
        assert not untyped, f"{package}.{name}: {function.__name__} has no type for {untyped}"
        assert signature.return_annotation is not signature.empty, (
            f"{package}.{name}: {function.__name__} has no return type"
        )
