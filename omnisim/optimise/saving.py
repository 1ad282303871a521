"""A plan with a proof on disk: the plan file, its tables, and a manifest that comes last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from omnisim import storage
from omnisim.plan_file import plan_files, save_plan

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.optimise.budget_plan import BudgetPlan
    from omnisim.optimise.replenish.stock_plan import StockPlan


def save_proven(found: BudgetPlan | StockPlan, directory: str | Path, kind: str, stem: str,
                tables: Mapping[str, pd.DataFrame]) -> None:
    """Write the plan to STEM.yaml, each table to its own CSV file, and the manifest.

    Raises
    ------
    UsageError  where the directory holds something else
    StorageError  where the disk refuses
    """
    path = Path(directory)
    texts = {f"{name}.csv": frame.to_csv(index=False, lineterminator="\n") for name, frame in tables.items()}
    files = [*plan_files(found.plan, f"{stem}.yaml"), *texts]
    storage.claim_directory(path, kind)
    storage.open_manifest(path, kind, files)
    save_plan(found.plan, path / f"{stem}.yaml")
    for name, text in texts.items():
        storage.write_text(path / name, text, encoding="utf-8-sig")  # so that Excel reads it
    storage.write_json(path / storage.MANIFEST, {
        "kind": kind, "complete": True, "objective": found.objective, "bound": found.bound, "gap": found.gap,
        "files": {name: storage.digest(path / name) for name in files}})
