"""The last site that worked survives a cut between any two steps of its replacement."""

from __future__ import annotations

from pathlib import Path

from gateway.app.site.last_good import save, saved_copy


def test_a_cut_between_the_two_renames_leaves_the_older_copy_and_the_next_save_works(
    tmp_path: Path,
) -> None:
    site, state = tmp_path / "site.yaml", tmp_path / "state"
    site.write_text("first", encoding="utf-8")
    save([site], site, state)
    (state / "last-good").replace(state / "last-good.old")  # here the power went
    kept = saved_copy(state)
    assert kept is not None
    assert kept.read_text(encoding="utf-8") == "first"
    site.write_text("second", encoding="utf-8")
    save([site], site, state)
    kept = saved_copy(state)
    assert kept is not None
    assert kept.read_text(encoding="utf-8") == "second"
    assert [path.name for path in state.iterdir()] == ["last-good"]


def test_a_disk_that_refuses_is_only_told(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("first", encoding="utf-8")
    (tmp_path / "state").write_text("no folder", encoding="utf-8")
    save([site], site, tmp_path / "state")
    assert saved_copy(tmp_path / "state") is None
