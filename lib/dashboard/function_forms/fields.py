"""JSON schemas as the fields of a form."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Json = Mapping[str, Any]

Kind = Literal[
    "text",
    "long_text",
    "number",
    "integer",
    "boolean",
    "date",
    "datetime",
    "time",
    "choice",
    "choices",
    "file",
    "files",
    "list",
    "group",
    "json",
    "output",
]

MOST_FIELDS = 200
_DEEPEST_GROUP = 4
_FILE_FORMATS = ("file", "file-id", "file_id", "binary")
_LONG_TEXT = 200
"""A text that may be longer than this many characters gets several lines."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `id` names its value in a draft; ids of fields inside begin with their group's.

    `text` is Markdown of any length to show above the field, `label` is short. What `options`
    holds are JSON values; a draft holds their positions.
    """

    id: str
    name: str
    label: str
    kind: Kind
    required: bool = False
    text: str = ""
    help: str = ""
    default: Any = None
    options: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None
    pattern: str | None = None
    fields: "tuple[Field, ...]" = ()
    item: "Field | None" = None
    fewest: int = 0
    most: int | None = None
    schema: Json = field(default_factory=dict)
    is_nullable: bool = False


def field_of(schema: Any, name: str, path: str, required: bool) -> Field:
    """The field for a schema; one that no widget fits is answered as JSON."""
    return _Reader(schema).read(schema, name, path, required, depth=0)


def numbered(item: Field, list_id: str, number: int) -> Field:
    """The field of one entry of a list, with ids of its own. `number` counts from 0."""
    labelled = replace(item, label=f"{item.label} {number + 1}")
    return _moved(labelled, item.id, f"{list_id}.{number}")


def label_of(name: str) -> str:
    """`first_name` as people write it: First name."""
    words = " ".join(name.replace("_", " ").replace("-", " ").split())
    return f"{words[:1].upper()}{words[1:]}"


def _moved(inside: Field, old: str, new: str) -> Field:
    return replace(
        inside,
        id=new + inside.id.removeprefix(old),
        fields=tuple(_moved(one, old, new) for one in inside.fields),
        item=_moved(inside.item, old, new) if inside.item else None,
    )


class _Reader:
    """Reads one schema; definitions that `$ref` names are looked up in its root."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def read(self, schema: Any, name: str, path: str, required: bool, depth: int) -> Field:
        raw = schema if isinstance(schema, Mapping) else {}
        schema, is_nullable = self._plain(raw)
        title = schema.get("title")
        base = Field(
            id=path,
            name=name,
            label=title if isinstance(title, str) and title else label_of(name) or "Answer",
            kind="json",
            required=required,
            help=schema["description"] if isinstance(schema.get("description"), str) else "",
            default=schema.get("default"),
            schema=raw,
            is_nullable=is_nullable,
        )
        return self._typed(base, schema, depth)

    def _typed(self, base: Field, schema: Json, depth: int) -> Field:
        options = _options(schema)
        if options:
            return _with(base, kind="choice", options=options)
        match schema.get("type"):
            case "string":
                return _text_field(base, schema)
            case "number" | "integer" as kind:
                return _with(base, kind=kind, **_range(schema))
            case "boolean":
                return _with(base, kind="boolean")
            case "array":
                return self._array(base, schema, depth)
            case "object" if depth < _DEEPEST_GROUP:
                return self._group(base, schema, depth)
        return base

    def _array(self, base: Field, schema: Json, depth: int) -> Field:
        items = schema.get("items")
        if not isinstance(items, Mapping) or depth >= _DEEPEST_GROUP:
            return base
        plain, _ = self._plain(items)
        bounds = {"fewest": _count(schema, "minItems") or 0, "most": _count(schema, "maxItems")}
        if options := _options(plain):
            return _with(base, kind="choices", options=options, **bounds)
        if _is_file(plain):
            return _with(base, kind="files", **bounds)
        item = self.read(items, base.label, f"{base.id}.0", True, depth + 1)
        return base if item.kind == "json" else _with(base, kind="list", item=item, **bounds)

    def _group(self, base: Field, schema: Json, depth: int) -> Field:
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) or not 0 < len(properties) <= MOST_FIELDS:
            return base
        required = schema.get("required")
        needed = required if isinstance(required, list) else []
        fields = tuple(
            self.read(inside, str(name), f"{base.id}.{name}", name in needed, depth + 1)
            for name, inside in properties.items()
        )
        return _with(base, kind="group", fields=fields)

    def _plain(self, schema: Json) -> tuple[Json, bool]:
        """The schema without references and without `null`, and whether null was allowed."""
        is_nullable = False
        for _ in range(_DEEPEST_GROUP * 2):
            if isinstance(schema.get("$ref"), str):
                schema = self._referred(schema)
            elif isinstance(schema.get("type"), list):
                is_nullable = is_nullable or "null" in schema["type"]
                kinds = [kind for kind in schema["type"] if kind != "null"]
                schema = {**schema, "type": kinds[0] if len(kinds) == 1 else "any"}
            elif one := _only_alternative(schema):
                is_nullable = is_nullable or _allows_null(schema)
                rest = {key: value for key, value in schema.items() if key not in _COMBINATIONS}
                schema = {**one, **rest}
            else:
                break
        return schema, is_nullable

    def _referred(self, schema: Json) -> Json:
        found: Any = self._root
        for part in schema["$ref"].removeprefix("#").strip("/").split("/"):
            found = found.get(part) if isinstance(found, Mapping) else None
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**(found if isinstance(found, Mapping) else {}), **rest}


_COMBINATIONS = ("anyOf", "oneOf", "allOf")


def _with(base: Field, **changes: Any) -> Field:
    return replace(base, **changes)


def _only_alternative(schema: Json) -> Json | None:
    """The one schema that a combination comes down to, null aside."""
    for key in _COMBINATIONS:
        alternatives = schema.get(key)
        if not isinstance(alternatives, list):
            continue
        others = [one for one in alternatives if not _is_null(one)]
        if len(others) == 1 and isinstance(others[0], Mapping):
            return others[0]
    return None


def _allows_null(schema: Json) -> bool:
    return any(_is_null(one) for key in ("anyOf", "oneOf") for one in schema.get(key) or [])


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"


def _options(schema: Json) -> tuple[Any, ...]:
    if "const" in schema:
        return (schema["const"],)
    options = schema.get("enum")
    return tuple(options) if isinstance(options, list) and len(options) <= 1000 else ()


def _text_field(base: Field, schema: Json) -> Field:
    match schema.get("format"):
        case "date":
            return _with(base, kind="date")
        case "date-time":
            return _with(base, kind="datetime")
        case "time":
            return _with(base, kind="time")
    if _is_file(schema):
        return _with(base, kind="file")
    longest = _count(schema, "maxLength")
    is_long = longest is not None and longest > _LONG_TEXT
    pattern = schema.get("pattern")
    return _with(
        base,
        kind="long_text" if is_long or schema.get("format") == "textarea" else "text",
        max_length=longest,
        pattern=pattern if isinstance(pattern, str) else None,
    )


def _is_file(schema: Json) -> bool:
    return schema.get("type") == "string" and schema.get("format") in _FILE_FORMATS


def _range(schema: Json) -> dict[str, float | None]:
    return {"minimum": _bound(schema, "minimum"), "maximum": _bound(schema, "maximum")}


def _bound(schema: Json, key: str) -> float | None:
    value = schema.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 2**53 else None


def _count(schema: Json, key: str) -> int | None:
    value = _bound(schema, key)
    return int(value) if value is not None and value >= 0 else None
