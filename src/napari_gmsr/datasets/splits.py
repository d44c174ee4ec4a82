"""Which scene is for training, validation or test: the paper's lists, and a rule for the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from napari_gmsr.datasets.dataset import Split, SplitRule

__all__ = ["by_hash", "with_test"]

VALIDATION_SHARE = 0.1
TEST_SHARE = 0.1


def with_test(names: Collection[str], test: Collection[str], rule: SplitRule) -> dict[str, Split]:
    """Split scenes whose test list is known.

    Parameters
    ----------
    names
        All scenes.
    test
        Those for test.
    rule
        ``recommended`` holds a tenth of the rest out for validation (at least one of two or more),
        those with the smallest SHA-256 of their names; ``paper`` trains on all the rest.
    """
    rest = [name for name in names if name not in test]
    held_out = _smallest(rest, VALIDATION_SHARE) if rule == "recommended" else set()
    return {
        name: "test" if name in test else "validation" if name in held_out else "train"
        for name in names
    }


def by_hash(names: Collection[str], rule: SplitRule) -> dict[str, Split]:
    """Split scenes that nobody has split: a tenth for test, then as `with_test`.

    The test scenes are those with the smallest SHA-256 of their names after "test " (at least one
    of three or more). One more scene can move another.
    """
    test = _smallest(names, TEST_SHARE, salt="test ") if len(names) > 2 else set()
    return with_test(names, test, rule)


def _smallest(names: Collection[str], share: float, salt: str = "") -> set[str]:
    """Return that share of the names, at least one of two or more, with the smallest hashes."""
    if len(names) < 2:
        return set()
    ordered = sorted(names, key=lambda name: hashlib.sha256((salt + name).encode()).digest())
    return set(ordered[: max(1, round(share * len(names)))])
