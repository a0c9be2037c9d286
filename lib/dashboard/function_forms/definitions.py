"""Function definitions as people paste them, and what is wrong with one that is being edited."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import json5
import yaml
from jsonschema import Draft202012Validator

from lib.python_functions import PythonFunction, PythonSourceError, read_functions

Json = dict[str, Any]

FIELDS = ("name", "description", "parameters", "strict", "result_schema", "run")
NAME_PATTERN = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
UNNAMED = "my_function"

_PYTHON = re.compile(r"^\s*(?:async\s+def|def|@\w|import|from|class)\b", re.MULTILINE)
_OLD_NAMES = {"input_schema": "parameters", "inputSchema": "parameters", "returns": "result_schema"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in a sentence; `line` counts from 1, None where it is not known."""

    message: str
    line: int | None = None

    def __str__(self) -> str:
        return self.message if self.line is None else f"Line {self.line}: {self.message}"


class DefinitionError(Exception):
    """The pasted text holds no function."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_pasted(text: str) -> list[Json]:
    """The functions in a pasted text, in the API's shape. Raises DefinitionError.

    Understood are: the API's own tool, the inner function alone, the shapes of Responses and of
    chat completions (one or a list), a bare schema of arguments, and Python functions; JSON may
    have single quotes, trailing commas and comments, or be a Python dict.
    """
    if not text.strip():
        raise DefinitionError(Problem("Paste a function's definition first."))
    if _PYTHON.search(text) and not text.lstrip().startswith(("{", "[")):
        return _from_python(text)
    functions = [_as_function(one) for one in _candidates(_forgiving_json(text))]
    if not functions:
        raise DefinitionError(Problem("There is no function in this text."))
    return functions


def problems_in(text: str) -> list[Problem]:
    """What keeps an edited definition from being saved; empty when nothing does."""
    try:
        definition = json.loads(text)
    except json.JSONDecodeError as error:
        return [Problem(f"This is not valid JSON: {error.msg}.", error.lineno)]
    except RecursionError:
        return [Problem("The definition is nested too deeply.")]
    if not isinstance(definition, dict):
        return [Problem("A definition is a JSON object.", 1)]
    lines = _Lines(text)
    problems = [
        *_name_problems(definition, lines),
        *_type_problems(definition, lines),
        *_schema_problems(definition, lines),
    ]
    return sorted(problems, key=lambda problem: problem.line or 0)


def formatted(definition: Mapping[str, Any]) -> str:
    """A definition as JSON text, its keys in the usual order."""
    known = {key: definition[key] for key in FIELDS if key in definition}
    return json.dumps({**known, **definition}, indent=2, ensure_ascii=False)


def _from_python(text: str) -> list[Json]:
    try:
        functions = read_functions(text)
    except PythonSourceError as error:
        raise DefinitionError(Problem(str(error), error.line)) from None
    if not functions:
        raise DefinitionError(Problem("There is no public function in this Python code."))
    return [_python_definition(function) for function in functions]


def _python_definition(function: PythonFunction) -> Json:
    definition: Json = {"name": function.name, "parameters": function.parameters}
    if function.description:
        definition["description"] = function.description
    if function.result and function.result.get("type") not in ("null", "string"):
        definition["result_schema"] = function.result
    return definition


def _forgiving_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return json5.loads(text)
    except RecursionError:
        raise DefinitionError(Problem("The definition is nested too deeply.")) from None
    except ValueError as error:
        reason = str(error)
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise DefinitionError(_json5_problem(reason)) from None


def _json5_problem(reason: str) -> Problem:
    found = re.match(r"<string>:(\d+) (.*)", reason, re.DOTALL)
    if not found:
        return Problem(f"This cannot be read: {reason}.")
    return Problem(f"This cannot be read: {found[2]}.", int(found[1]))


def _candidates(pasted: Any) -> list[Mapping[str, Any]]:
    """Everything in the pasted value that may be a function."""
    if isinstance(pasted, Mapping):
        for key in ("tools", "functions"):
            if isinstance(pasted.get(key), Sequence):
                return _candidates(pasted[key])
        return [pasted]
    if isinstance(pasted, Sequence) and not isinstance(pasted, str):
        return [one for one in pasted if isinstance(one, Mapping)]
    return []


def _as_function(pasted: Mapping[str, Any]) -> Json:
    inner = pasted.get("function")
    if isinstance(inner, Mapping):
        pasted = inner
    elif pasted.get("type") == "function":
        pasted = {key: value for key, value in pasted.items() if key != "type"}
    elif _is_bare_schema(pasted):
        return _named_schema(pasted)
    renamed = {_OLD_NAMES.get(key, key): value for key, value in pasted.items()}
    function = {key: value for key, value in renamed.items() if key in FIELDS}
    if not function:
        raise DefinitionError(Problem("This is neither a function nor a schema of arguments."))
    return {"name": UNNAMED, **function}


def _is_bare_schema(pasted: Mapping[str, Any]) -> bool:
    return "parameters" not in pasted and (
        pasted.get("type") == "object" or isinstance(pasted.get("properties"), Mapping)
    )


def _named_schema(schema: Mapping[str, Any]) -> Json:
    parameters = {key: value for key, value in schema.items() if key not in ("title", "$schema")}
    title = re.sub(r"[^a-zA-Z0-9_-]+", "_", str(schema.get("title", ""))).strip("_")[:64]
    description = schema.get("description")
    described = {"description": description} if isinstance(description, str) else {}
    return {"name": title or UNNAMED, **described, "parameters": {"type": "object", **parameters}}


def _name_problems(definition: Json, lines: "_Lines") -> list[Problem]:
    name = definition.get("name")
    if name is None:
        return [Problem("A function needs a `name`.", 1)]
    if not isinstance(name, str) or not NAME_PATTERN.match(name):
        return [
            Problem(
                "The name may have up to 64 letters, digits, underscores and hyphens.",
                lines.of("name"),
            )
        ]
    return []


def _type_problems(definition: Json, lines: "_Lines") -> list[Problem]:
    problems = [
        Problem(f"`{key}` is not known; a function has {', '.join(FIELDS)}.", lines.of(key))
        for key in definition
        if key not in FIELDS
    ]
    if not isinstance(definition.get("description", ""), str | None):
        problems.append(Problem("`description` must be text.", lines.of("description")))
    if not isinstance(definition.get("strict", False), bool | None):
        problems.append(Problem("`strict` must be true or false.", lines.of("strict")))
    if definition.get("run", "ask") not in ("ask", "auto", None):
        problems.append(Problem('`run` must be "ask" or "auto".', lines.of("run")))
    return problems


def _schema_problems(definition: Json, lines: "_Lines") -> list[Problem]:
    problems: list[Problem] = []
    for key in ("parameters", "result_schema"):
        schema = definition.get(key)
        if schema is None:
            continue
        if not isinstance(schema, dict):
            problems.append(Problem(f"`{key}` must be a JSON schema.", lines.of(key)))
            continue
        if key == "parameters" and schema.get("type", "object") != "object":
            where = lines.of(key, "type")
            problems.append(Problem('`parameters` must have the type "object".', where))
        problems += _metaschema_problems(schema, key, lines)
    return problems


def _metaschema_problems(schema: Json, key: str, lines: "_Lines") -> list[Problem]:
    metaschema = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    try:
        errors = sorted(metaschema.iter_errors(schema), key=lambda error: len(error.absolute_path))
    except RecursionError:
        return [Problem(f"`{key}` is nested too deeply.", lines.of(key))]
    seen: set[str] = set()
    problems: list[Problem] = []
    for error in errors:
        where = "/".join([key, *map(str, error.absolute_path)])
        if where not in seen:
            seen.add(where)
            line = lines.of(key, *error.absolute_path)
            problems.append(Problem(_metaschema_words(where, error.message), line))
    return problems


def _metaschema_words(where: str, message: str) -> str:
    if where.endswith("/type") and "/properties/type" not in where:
        return (
            f"`{where}` names no type of JSON schema: use string, number, integer, boolean, "
            "array, object or null."
        )
    return f"`{where}` does not fit: {message[:200]}."


class _Lines:
    """Where each value stands in a JSON text. YAML's reader tells it, as JSON is YAML too."""

    def __init__(self, text: str) -> None:
        try:
            self._root = yaml.compose(text.replace("\t", " "), Loader=yaml.SafeLoader)
        except (yaml.YAMLError, RecursionError, ValueError):
            self._root = None

    def of(self, *path: str | int) -> int | None:
        """The line of the value at this path, or of the nearest one around it."""
        node = self._root
        for part in path:
            inside = _child(node, part)
            if inside is None:
                break
            node = inside
        return None if node is None else node.start_mark.line + 1


def _child(node: yaml.Node | None, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child: yaml.Node = node.value[part]
        return child
    return None
