"""Python functions as function definitions, read from their source without running it."""

import ast
from dataclasses import dataclass
from typing import Any

from docstring_parser import parse as parse_docstring

Json = dict[str, Any]

_PLAIN_TYPES: dict[str, Json] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "Decimal": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array", "items": {}},
    "List": {"type": "array", "items": {}},
    "tuple": {"type": "array", "items": {}},
    "set": {"type": "array", "items": {}, "uniqueItems": True},
    "dict": {"type": "object"},
    "Dict": {"type": "object"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "format": "time"},
    "UUID": {"type": "string", "format": "uuid"},
    "Path": {"type": "string"},
    "None": {"type": "null"},
    "Any": {},
}
_SEQUENCES = ("list", "List", "Sequence", "Iterable", "tuple", "Tuple", "set", "Set", "frozenset")
_MAPPINGS = ("dict", "Dict", "Mapping")


class PythonSourceError(Exception):
    """The source has no function that can be offered. One sentence; `line` counts from 1."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class PythonFunction:
    """A public function at the top level of a source."""

    name: str
    line: int
    description: str
    parameters: Json
    """A JSON schema of the arguments."""
    result: Json
    """A JSON schema of the result; empty when the source does not say."""


def read_functions(source: str) -> list[PythonFunction]:
    """The public functions of a source, in order. Raises PythonSourceError.

    Types that JSON schema cannot tell are taken for text; what a type alias or a class of the
    source means is not looked up.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise PythonSourceError(f"This is not valid Python: {reason}.", line) from None
    return [
        _read(node)
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
    ]


def _read(node: ast.FunctionDef | ast.AsyncFunctionDef) -> PythonFunction:
    documented = parse_docstring(ast.get_docstring(node) or "")
    described = {param.arg_name: param.description for param in documented.params}
    parts = [documented.short_description, documented.long_description]
    properties: Json = {}
    required: list[str] = []
    for argument, default in _arguments(node):
        schema = schema_of(argument.annotation)
        if description := described.get(argument.arg):
            schema = {"description": " ".join(description.split()), **schema}
        if default is None:
            required.append(argument.arg)
        else:
            schema = {**schema, **_default(default)}
        properties[argument.arg] = schema
    return PythonFunction(
        name=node.name,
        line=node.lineno,
        description="\n\n".join(part for part in parts if part),
        parameters={"type": "object", "properties": properties, "required": required},
        result=schema_of(node.returns),
    )


def schema_of(annotation: ast.expr | None) -> Json:
    """The JSON schema of a type hint; empty where anything may stand."""
    match annotation:
        case None:
            return {}
        case ast.Constant(value=None):
            return {"type": "null"}
        case ast.Constant(value=str() as quoted):
            return _quoted(quoted)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _any_of([left, right])
        case ast.Subscript(value=generic, slice=inside):
            return _generic(_name(generic), _elements(inside))
    return dict(_PLAIN_TYPES.get(_name(annotation), {"type": "string"}))


def _quoted(text: str) -> Json:
    try:
        return schema_of(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError):
        return {"type": "string"}


def _generic(name: str, inside: list[ast.expr]) -> Json:
    if name == "Optional":
        return _any_of([inside[0], ast.Constant(value=None)])
    if name == "Union":
        return _any_of(inside)
    if name == "Literal":
        return {"enum": [_literal(option) for option in inside]}
    if name == "Annotated":
        return _annotated(inside)
    if name in _SEQUENCES:
        return {"type": "array", "items": schema_of(inside[0])}
    if name in _MAPPINGS:
        values = schema_of(inside[-1])
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    return {"type": "string"}


def _annotated(inside: list[ast.expr]) -> Json:
    schema = schema_of(inside[0])
    for note in inside[1:]:
        if isinstance(note, ast.Constant) and isinstance(note.value, str):
            schema = {"description": note.value, **schema}
    return schema


def _any_of(options: list[ast.expr]) -> Json:
    schemas: list[Json] = []
    for option in options:
        schema = schema_of(option)
        schemas += schema.get("anyOf", [schema])
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _arguments(
    node: ast.FunctionDef | ast.AsyncFunctionDef,
) -> list[tuple[ast.arg, ast.expr | None]]:
    """Each argument with its default; None where there is none."""
    given = node.args
    if given.vararg or given.kwarg:
        raise PythonSourceError(
            f"The function {node.name} takes any number of arguments; name each one instead.",
            node.lineno,
        )
    positional = [*given.posonlyargs, *given.args]
    without_default = [None] * (len(positional) - len(given.defaults))
    pairs = list(zip(positional, [*without_default, *given.defaults], strict=True))
    return [*pairs, *zip(given.kwonlyargs, given.kw_defaults, strict=True)]


def _default(default: ast.expr) -> Json:
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return {}
    is_json = isinstance(value, str | int | float | bool | list | dict)
    return {"default": value} if is_json else {}


def _elements(inside: ast.expr) -> list[ast.expr]:
    return list(inside.elts) if isinstance(inside, ast.Tuple) and inside.elts else [inside]


def _literal(option: ast.expr) -> Any:
    try:
        return ast.literal_eval(option)
    except ValueError:
        return ast.unparse(option)


def _name(node: ast.expr | None) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
    return ""
