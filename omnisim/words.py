"""What verbs of the command line have in common: options, and the values of ``--set``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from omnisim.errors import Fault, OmnisimError, UsageError
from omnisim.terminal import Answer

if TYPE_CHECKING:
    from omnisim.scenario.model import Scenario

Job: TypeAlias = Callable[[], Answer]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Lang = Annotated[Literal["en", "zh"] | None, typer.Option("--lang", help="Language of summary, tables and plots.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Directory for the results.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The luck of the run; the same seed gives the same bits.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE",
                                                help="Change one value; may be repeated.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Processor threads; changes no result.")]


def changed(scenario: Scenario, sets: Sequence[str]) -> Scenario:
    """The scenario with the values of ``--set``."""
    from omnisim.scenario.text import read_value

    changes: dict[str, object] = {}
    faults = []
    for words in sets:
        path, equals, value = (part.strip() for part in words.partition("="))
        if not equals or not path or path in changes:
            rule = "must give each path once" if equals and path else "must be PATH=VALUE"
            faults.append(Fault("--set", words, "", rule, "Write it as --set channels.douyin.budget=2000."))
            continue
        try:
            changes[path] = read_value(value, f"--set {path}")
        except OmnisimError as error:
            faults += error.faults
    if faults:
        raise UsageError(*faults)
    return scenario.with_(changes) if changes else scenario
