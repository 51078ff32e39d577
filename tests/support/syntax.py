"""The imports and uses of a module, read from its syntax tree; nothing is imported to find out.

Rules
- A name counts by what stands behind it: aliases are resolved, and a local name that only looks like a module is none.
- Imports count wherever they are written, inside functions too. A relative import keeps its dots.
"""

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file of the package, by its path below `crawler/`."""

    path: PurePosixPath
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The first folder, or nothing for a file at the top."""
        return self.path.parts[0] if len(self.path.parts) > 1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A name from elsewhere by its full dotted path, and the line where it is written."""

    name: str
    line: int

    def within(self, names: Iterable[str]) -> bool:
        """Return whether this is one of the names, or something inside one."""
        return any(self.name == name or self.name.startswith(f"{name}.") for name in names)


def module_of(path: str, source: str) -> Module:
    """A module out of its text."""
    return Module(path=PurePosixPath(path), tree=ast.parse(source, path))


def imports(module: Module) -> Iterator[Use]:
    """Everything that the module imports, wherever in it; a relative import keeps its dots."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (Use(name=alias.name, line=node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Use(name=f"{origin(node)}.{alias.name}", line=node.lineno) for alias in node.names)


def ours(module: Module) -> Iterator[Use]:
    """The imports from this package."""
    return (use for use in imports(module) if use.within(["crawler"]))


def uses(module: Module) -> Iterator[Use]:
    """The imports, and each use of an imported or built-in name; after `import os as o`, `o.path` is `os.path`."""
    known = {name: name for name in dir(builtins)} | dict(bindings(module))
    yield from imports(module)
    for node in ast.walk(module.tree):
        head, _, rest = dotted(node).partition(".")
        if head in known:
            yield Use(name=f"{known[head]}.{rest}".rstrip("."), line=getattr(node, "lineno", 0))


def bindings(module: Module) -> Iterator[tuple[str, str]]:
    """The local names that imports bind, and what stands behind each."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{origin(node)}.{alias.name}") for alias in node.names)


def origin(node: ast.ImportFrom) -> str:
    """Return the module from which a `from ... import` imports."""
    return "." * node.level + (node.module or "")


def dotted(node: ast.AST) -> str:
    """`a.b.c` as text; nothing for what is not names and dots alone."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""
