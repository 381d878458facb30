"""The source keeps to its layers, and modules and functions to their sizes."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import ROOT

import bareasgi
import bareasgi.basic_router
import bareasgi.testing

CORE = ROOT / "packages" / "core" / "src"

# The modules of the core, lowest first: each imports only from those before it.
LAYERS = [
    "bareasgi.types",
    "bareasgi.errors",
    "bareasgi.tasks",
    "bareasgi.turns",
    "bareasgi.closing",
    "bareasgi.streaming",
    "bareasgi.event_stream",
    "bareasgi.extensions",
    "bareasgi.cookies",
    "bareasgi.responses",
    "bareasgi.negotiation",
    "bareasgi.origin",
    "bareasgi.basic_router.path_segment",
    "bareasgi.basic_router.path_definition",
    "bareasgi.basic_router.route_table",
    "bareasgi.basic_router.http_router",
    "bareasgi.basic_router.web_socket_router",
    "bareasgi.basic_router",
    "bareasgi.middleware",
    "bareasgi.request_body",
    "bareasgi.sender",
    "bareasgi.running",
    "bareasgi.delivery",
    "bareasgi.mount",
    "bareasgi.http",
    "bareasgi.socket_messages",
    "bareasgi.read_ahead",
    "bareasgi.read_ahead",
    "bareasgi.connection",
    "bareasgi.websocket",
    "bareasgi.lifespan",
    "bareasgi.application",
    "bareasgi",
    # What nothing above imports, for it must cost nothing when it is not used.
    "bareasgi.route_report",
    "bareasgi.__main__",
    "bareasgi.compression.codings",
    "bareasgi.compression.pace",
    "bareasgi.compression.compressed_body",
    "bareasgi.compression.decompressed_content",
    "bareasgi.compression.response_middleware",
    "bareasgi.compression.request_middleware",
    "bareasgi.compression",
    "bareasgi.testing.messages",
    "bareasgi.testing.checker",
    "bareasgi.testing.call",
    "bareasgi.testing.stream",
    "bareasgi.testing.client_socket",
    "bareasgi.testing.driver",
    "bareasgi.testing",
]
APART = (
    "bareasgi.route_report",
    "bareasgi.__main__",
    "bareasgi.compression",
    "bareasgi.testing",
)

# What other packages may import: every public name of these, and one older name.
PUBLIC = {
    "bareasgi": set(bareasgi.__all__),
    "bareasgi.basic_router": set(bareasgi.basic_router.__all__),
    "bareasgi.middleware": {"mw"},
    "bareasgi.testing": set(bareasgi.testing.__all__),
}
PUBLIC_MODULES = ("bareasgi.compression", "bareasgi.negotiation")

MAX_LINES = 200
MAX_STATEMENTS = 30

# Larger ones, and why.
LARGE_MODULES: dict[str, str] = {}
LARGE_FUNCTIONS: dict[str, str] = {}


def module_name(path: Path) -> str:
    """Give the name by which a file below some `src` is imported."""
    parts = path.with_suffix("").parts
    parts = parts[parts.index("src") + 1 :]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path.read_text("utf-8")
    for path in sorted((ROOT / "packages").glob("*/src/**/*.py"))
}
OURS = {name for name in SOURCES if name.partition(".")[0] == "bareasgi"}

each_module = pytest.mark.parametrize("module", sorted(SOURCES))
each_of_ours = pytest.mark.parametrize("module", sorted(OURS))


def imports(source: str, module: str) -> Iterator[tuple[str, str | None]]:
    """Give what is imported anywhere in a module, as module and name."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((alias.name, None) for alias in names)
            case ast.ImportFrom(module=base, names=names, level=level):
                if level:
                    parts = module.split(".")
                    # No package of ours has a relative import in its `__init__`.
                    base = ".".join([*parts[:-level], *([base] if base else [])])
                yield from ((base or "", alias.name) for alias in names)
            case _:
                pass


def imported_modules(source: str, module: str, known: set[str]) -> set[str]:
    """Give the modules of the core that a module imports."""
    found: set[str] = set()
    for base, name in imports(source, module):
        if base.partition(".")[0] == "bareasgi":
            whole = f"{base}.{name}"
            found.add(whole if whole in known else base)
    return found


def misplaced_imports(source: str) -> list[int]:
    """Give the lines of imports that are not at the top level, or under conditions."""
    tree = ast.parse(source)
    top = {id(node) for node in tree.body}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom)) and id(node) not in top
    ]


def private_imports(source: str, module: str) -> list[str]:
    """Give what a module outside the core imports of it that is not public."""
    found: list[str] = []
    for base, name in imports(source, module):
        if base.partition(".")[0] != "bareasgi":
            continue
        if base in PUBLIC_MODULES:
            is_public = name is None or not name.startswith("_")
        elif name is None:
            is_public = base in PUBLIC
        else:
            is_submodule = f"{base}.{name}" in {*PUBLIC_MODULES, *PUBLIC}
            is_public = is_submodule or name in PUBLIC.get(base, ())
        if not is_public:
            found.append(f"{base}.{name}" if name else base)
    return found


def lines_of_code(source: str) -> int:
    """Count the lines that are not blank, comments or docstrings."""
    no_code = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in no_code:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and is_text(node):
            lines.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(lines)


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a docstring, of a module, class, function or name."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case _:
            return False


def statements(source: str) -> Iterator[tuple[str, int]]:
    """Give each function, and how many statements it has with those inside it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inner = [each for each in ast.walk(node) if isinstance(each, ast.stmt)]
            yield node.name, sum(not is_text(each) for each in inner) - 1


@each_of_ours
def test_every_module_of_the_core_has_its_layer(module: str) -> None:
    assert module in LAYERS


@each_of_ours
def test_a_module_imports_only_from_the_layers_below_it(module: str) -> None:
    below = set(LAYERS[: LAYERS.index(module)])
    assert imported_modules(SOURCES[module], module, OURS) - below == set()


@each_of_ours
def test_nothing_imports_what_must_cost_nothing_when_unused(module: str) -> None:
    if not module.startswith(APART):
        imported = imported_modules(SOURCES[module], module, OURS)
        assert [name for name in imported if name.startswith(APART)] == []


@each_module
def test_imports_are_at_the_top_and_unconditional(module: str) -> None:
    assert misplaced_imports(SOURCES[module]) == []
    assert "TYPE_CHECKING" not in SOURCES[module]


@each_module
def test_other_packages_import_only_public_names_of_the_core(module: str) -> None:
    if module not in OURS:
        assert private_imports(SOURCES[module], module) == []


@each_module
def test_a_module_has_at_most_200_lines_of_code(module: str) -> None:
    if module not in LARGE_MODULES:
        assert lines_of_code(SOURCES[module]) <= MAX_LINES


@each_module
def test_a_function_has_at_most_30_statements(module: str) -> None:
    large = {
        f"{module}.{name}": count
        for name, count in statements(SOURCES[module])
        if count > MAX_STATEMENTS
    }
    assert large.keys() <= LARGE_FUNCTIONS.keys()


def test_the_exceptions_are_still_needed() -> None:
    for module in LARGE_MODULES:
        assert lines_of_code(SOURCES[module]) > MAX_LINES
    large = {
        f"{module}.{name}"
        for module, source in SOURCES.items()
        for name, count in statements(source)
        if count > MAX_STATEMENTS
    }
    assert set(LARGE_FUNCTIONS) <= large


@each_of_ours
def test_init_holds_names_and_nothing_else(module: str) -> None:
    path = CORE.joinpath(*module.split("."), "__init__.py")
    if path.is_file():
        kinds = {type(node).__name__ for node in ast.parse(SOURCES[module]).body}
        assert kinds <= {"Expr", "ImportFrom", "Assign"}


# The checks see what they look for.

WRONG = '''
"""A module
that does everything wrong."""
from typing import TYPE_CHECKING
import bareasgi.http
from bareasgi import application, mw
from bareasgi.sender import send_response
from bareasgi.basic_router import route_table, CONVERTERS
from ..testing import http_request
if TYPE_CHECKING:
    from bareasgi.types import Scope

# a comment
def function() -> None:
    """Does little."""
    import bareasgi.lifespan

    class Inner:
        text = """one
        two"""
        """What text is."""
'''


def test_the_checks_see_every_way_to_import() -> None:
    known = {"bareasgi.application", "bareasgi.basic_router.route_table"}
    assert imported_modules(WRONG, "bareasgi.basic_router.wrong", known) == {
        "bareasgi",
        "bareasgi.http",
        "bareasgi.application",
        "bareasgi.sender",
        "bareasgi.basic_router",
        "bareasgi.basic_router.route_table",
        "bareasgi.testing",
        "bareasgi.types",
        "bareasgi.lifespan",
    }
    assert misplaced_imports(WRONG) == [11, 16]


def test_the_checks_tell_public_from_private_names() -> None:
    assert private_imports(WRONG.replace("..testing", "x"), "bareasgi_x.y") == [
        "bareasgi.http",
        "bareasgi.application",
        "bareasgi.sender.send_response",
        "bareasgi.basic_router.route_table",
        "bareasgi.types.Scope",
        "bareasgi.lifespan",
    ]


def test_the_checks_count_code_only() -> None:
    assert lines_of_code(WRONG) == 13
    assert dict(statements(WRONG)) == {"function": 3}


def test_a_bare_import_of_types_is_seen_by_its_name() -> None:
    assert module_name(Path("packages/x/src/a/b/__init__.py")) == "a.b"
    assert module_name(Path("packages/x/src/a/b.py")) == "a.b"
