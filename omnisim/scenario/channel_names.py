"""Channels by the names that people write: as in the scenario, by label, or as the catalogue knows their preset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from omnisim.scenario import catalogue
from omnisim.scenario.model import Scenario


def meant_channel(text: str, scenario: Scenario) -> str:
    """The name of the channel that is meant, as douyin by 抖音; the text itself where none or several are.

    A name goes before a label, a label before another name of the preset.
    """
    presets = catalogue.presets()
    labels = {name: {channel.label, channel.label_zh} - {""} for name, channel in scenario.channels.items()}
    others = {name: {presets[channel.preset].label, presets[channel.preset].label_zh, *presets[channel.preset].aliases}
              for name, channel in scenario.channels.items() if channel.preset}
    if text in labels:
        return text
    meant = [name for name in labels if text in labels[name]] or [name for name in others if text in others[name]]
    return meant[0] if len(meant) == 1 else text


def channel_names(texts: Iterable[str], scenario: Scenario) -> dict[str, str]:
    """Each text -> the name of its channel; those that mean the same one stay as they are."""
    found = {text: meant_channel(text, scenario) for text in texts}
    times = Counter(found.values())
    return {text: name if times[name] == 1 else text for text, name in found.items()}
