"""The JSON Schema of scenario files; the docstring under a field is its description."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import sys
from typing import Any

from pydantic import BaseModel

from omnisim.scenario.model import Scenario


def schema() -> dict[str, Any]:
    """JSON Schema of a scenario file, with the meaning and unit of every field.

    Notes
    -----
    The schema describes one file. A channel with a preset and a file that extends another may leave required fields
    out; rules between fields are beyond it: ``omnisim check`` knows them all.
    """
    result = Scenario.model_json_schema()
    models = {model.__name__: model for model in _models(Scenario)}
    for name, part in [("Scenario", result), *result["$defs"].items()]:
        docs = _docs(models[name])
        for field, entry in part["properties"].items():
            unit = models[name].model_fields[field].json_schema_extra
            text = docs.get(field, "")
            entry["description"] = f"{text} [{unit['unit']}]" if isinstance(unit, dict) and "unit" in unit else text
    _relax(result["$defs"]["Channel"], "preset")
    overlay = "File in the same folder that this one overlays."
    result["properties"]["extends"] = {"type": "string", "description": overlay}
    _relax(result, "extends")
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return result


def _relax(part: dict[str, Any], key: str) -> None:
    """Required fields are required only where `key` does not stand in for them."""
    part["anyOf"] = [{"required": [key]}, {"required": part.pop("required")}]


def _models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The model and all models of the same family that its fields may hold."""
    family = {found.__name__: found for name in ("market", "customers", "allocation", "supply", "model")
              for found in vars(sys.modules[f"omnisim.scenario.{name}"]).values()
              if isinstance(found, type) and issubclass(found, BaseModel)}
    return [model, *family.values()]


@functools.cache
def _docs(model: type[BaseModel]) -> dict[str, str]:
    """Field -> the text under it, read from the source (reading it at import would cost time)."""
    tree = ast.parse(inspect.getsource(sys.modules[model.__module__]))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == model.__name__)
    found = {}
    for field, text in itertools.pairwise(body):
        if (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)):
            found[field.target.id] = inspect.cleandoc(str(text.value.value))
    return found
