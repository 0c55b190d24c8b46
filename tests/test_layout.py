"""Who may import whom, and how large a file or a function may grow."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("zoo", "export")
CODE = ("zoo", "export", "demo", "reports", "tests")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40

# A module imports from its own row and from the rows above it, never from one below.
LAYERS = {
    "zoo": [
        {"errors", "first_edition", "registry", "scratch", "regular", "files", "documents", "records"},
        {"user_folder"},
        {"card_folders", "environment", "devices", "memory"},
        {"console", "hub"},
        {"native", "numerics"},
        {"kernels"},
        {"activations"},
        {"models"},
        {"data"},
        {"plots"},
        {"analysis"},
        {"weights"},
        {"timm"},
        {"cards"},
        {"adoption", "publishing"},
        {"conversion"},
        {"names"},
        {"evaluation"},
        {"report"},
        {"training"},
        {"benchmarks"},
        {"catalogue"},
        {"commands"},
        {"cli"},
        {"__main__"},
    ],
    "export": [
        {"errors", "export_target", "metadata", "digest", "function_calls", "cost", "versions", "edge"},
        {"targets"},
        {"operators"},
        {"native"},
        {"inputs", "value_types"},
        {"lower"},
        {"passes"},
        {"layouts"},
        {"runtime"},
        {"parity"},
        {"quantize"},
        {"pipeline"},
        {"bench"},
        {"deliver"},
        {"commands"},
    ],
}
MAX_CHAIN = 19
# What `import zoo` must leave alone: each of these loads where it is used.
LATE = {"onnx", "onnxruntime", "triton", "transformers", "datasets", "accelerate", "torchmetrics", "matplotlib"}
# What the modules of the command line may import before a command runs.
LIGHT = {"typer", "rich", "zoo", *sys.stdlib_module_names}


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, tree: ast.AST | None = None) -> Iterator[str]:
    """Every module named in an import statement of `path`, with relative ones made absolute."""
    package = module_name(path).split(".") if path.name == "__init__.py" else module_name(path).split(".")[:-1]
    for node in ast.walk(tree or ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            # `from zoo import activations` names the module in the second half.
            yield from (f"{source}.{name.name}" for name in node.names) if "." not in source else [source]


def at_module_level(path: Path) -> Iterator[str]:
    """The imports of `path` that run with it: not those inside functions or under TYPE_CHECKING."""
    tree = ast.parse(path.read_text("utf-8"))
    body = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    yield from imports(path, ast.Module(body=body, type_ignores=[]))


def loaded(path: Path, late: bool) -> set[str]:
    """The modules of this project that `path` imports: when it is imported itself, or, with `late`, ever."""

    def inside(node: ast.AST) -> Iterator[ast.AST]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not late:
                continue
            yield child
            yield from inside(child)

    def known(name: str) -> str:
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        return name

    found = set()
    for node in inside(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {known(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            here = module_name(path.parent / "x.py" if path.name == "__init__.py" else path).split(".")[
                : -node.level or None
            ]
            source = ".".join([*(here if node.level else []), *([node.module] if node.module else [])])
            found |= {known(f"{source}.{alias.name}") for alias in node.names}
    return found - {"", module_name(path)}


MODULES = {module_name(path): path for path in files(*PACKAGES)}


def row_of(package: str, part: str) -> int | None:
    return next((row for row, parts in enumerate(LAYERS[package]) if part in parts), None)


@pytest.mark.parametrize("path", files(*PACKAGES), ids=label)
def test_imports_point_upwards_only(path: Path) -> None:
    package, *rest = module_name(path).split(".")
    if path.name == "__init__.py":
        return  # A package's own file gathers, from any row; the test of circles holds for it as well.
    own = row_of(package, rest[0])
    assert own is not None, f"{label(path)}: give {rest[0]!r} a row in LAYERS"
    for name in imports(path):
        root, *parts = name.split(".")
        assert not (package == "zoo" and root == "export"), f"{label(path)} imports {name}; zoo must not know export"
        if root == package and parts:
            other = row_of(package, parts[0])
            assert other is not None or own >= row_of(package, "commands"), f"{label(path)} imports {name} from the top"
            assert other is None or other <= own, f"{label(path)} imports {name}, which stands below it"


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name: loaded(path, late=True) for name, path in MODULES.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"A circle of imports, those inside functions included: {' <- '.join(error.args[1])}")


def test_no_chain_of_imports_is_long() -> None:
    graph = {name: loaded(path, late=False) for name, path in MODULES.items()}
    chains: dict[str, list[str]] = {}
    for name in TopologicalSorter(graph).static_order():
        chains[name] = [name, *max((chains[other] for other in graph[name]), key=len, default=[])]
    longest = max(chains.values(), key=len)
    assert len(longest) <= MAX_CHAIN, " -> ".join(longest)


def test_private_modules_stay_in_their_package() -> None:
    strangers = [
        f"{name} imports {other}"
        for name, path in MODULES.items()
        for other in loaded(path, late=True)
        if other.rpartition(".")[2].startswith("_") and other.rpartition(".")[0] not in (name, name.rpartition(".")[0])
    ]
    assert strangers == []


@pytest.mark.parametrize(
    "path",
    [*files("zoo/commands", "export/commands"), ROOT / "zoo/cli.py"],
    ids=label,
)
def test_the_command_line_loads_nothing_heavy(path: Path) -> None:
    roots = {name.split(".")[0] for name in at_module_level(path)}
    assert roots <= LIGHT | {"export"}, f"{label(path)}: import {roots - LIGHT} inside the command"


def test_import_zoo_is_light() -> None:
    code = f"import sys, zoo; print(sorted({LATE!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", files(*CODE), ids=label)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= MAX_FILE_LINES, f"{label(path)} has {text.count(chr(10))} lines; split it by idea"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert _code_lines(node) <= MAX_FUNCTION_LINES, f"{label(path)}: {node.name} has {_code_lines(node)} lines"


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body, less the docstring: typed arguments and documentation do not make a function long."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = first.end_lineno - first.lineno + 1 if documented else 0
    return function.end_lineno - first.lineno + 1 - docstring


# Files of one kind, one for each command, target or rival, may be named as what they are about elsewhere. Bundles carry
# `export/edge`, whose files keep the names they have in a bundle; each package has its errors.
FAMILIES = ("commands", "targets", "rivals", "edge")
MANY = {"__init__.py", "__main__.py", "errors.py"}


def test_no_file_name_occurs_twice() -> None:
    paths = [path for path in files(*PACKAGES) if path.parent.name not in FAMILIES and path.name not in MANY]
    names = Counter(path.name for path in paths)
    assert [label(path) for path in paths if names[path.name] > 1] == []


def test_no_class_name_occurs_twice() -> None:
    places: dict[str, list[str]] = {}
    for path in files(*PACKAGES):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(label(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
