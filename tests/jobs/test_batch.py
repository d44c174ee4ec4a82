"""Which pictures a batch takes, where their cubes go, and what is written of it."""

import csv
import json

import pytest

from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.jobs import BatchResult, batch_targets, find_pictures, write_results


@pytest.fixture
def folder(tmp_path):
    """Pictures, other files, hidden ones and a folder below."""
    for name in ("b.PNG", "a.jpg", "notes.txt", ".hidden.png", "below/c.tif", ".cache/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "recursive", "found"),
    [
        ("*", False, ["a.jpg", "b.PNG"]),
        ("", True, ["a.jpg", "b.PNG", "below/c.tif"]),
        ("*.png", True, ["b.PNG"]),
        ("*.jpg, c*", True, ["a.jpg", "below/c.tif"]),
        ("*.txt", True, []),
    ],
)
def test_pictures_are_found_by_name(folder, pattern, recursive, found):
    pictures = find_pictures(folder, pattern, recursive=recursive)
    assert [path.relative_to(folder).as_posix() for path in pictures] == found


def test_what_is_no_folder(folder):
    with pytest.raises(InputError, match="no folder"):
        find_pictures(folder / "a.jpg")


def test_cubes_lie_as_their_pictures_do(folder):
    pictures = find_pictures(folder, recursive=True)
    targets = batch_targets(pictures, folder / "cubes", ".cube.tif", root=folder)
    names = [path.relative_to(folder).as_posix() for path in targets.values()]
    assert names == ["cubes/a.cube.tif", "cubes/b.cube.tif", "cubes/below/c.cube.tif"]


def test_pictures_of_one_name_and_cubes_over_pictures_are_refused(folder):
    (folder / "a.png").touch()
    with pytest.raises(InputError, match=r"both become a\.zarr"):
        batch_targets(find_pictures(folder), folder, ".zarr")
    with pytest.raises(OutputError, match="own picture"):
        batch_targets([folder / "below" / "c.tif"], folder / "below", ".tif")


def test_the_results_are_a_table_and_json(tmp_path):
    results = [
        BatchResult("a.png", "a.zarr", "done", 1.5, "A note.", "ab" * 32, "whole", "cpu", "cpu"),
        BatchResult("b.png", "b.zarr", "failed", 0.1, 'b.png: "no", not\na picture.'),
    ]
    for _ in range(2):  # those of an earlier batch are replaced
        table, text = write_results(tmp_path / "new", results, {"model": "photo"})
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["done", "failed"]
    assert rows[1]["message"] == results[1].message
    record = json.loads(text.read_text())
    assert record["results"][0]["checkpoint_sha256"] == "ab" * 32
    assert record["settings"] == {"model": "photo"}
    assert "napari-gmsr" in record["versions"]
