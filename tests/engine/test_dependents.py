"""What depends on what is read when a plan first asks, and counts from then on."""

from __future__ import annotations

from kolumn.engine.resource import Dependents, Ref, Snapshot

TABLE, VIEW = Ref("table", "film"), Ref("view", "films")


class Catalogue:
    def __init__(self, *dependents: Ref) -> None:
        self.dependents = dependents
        self.read = 0

    def snapshot(self) -> Snapshot:
        def read() -> dict[Ref, tuple[Ref, ...]]:
            self.read += 1
            return {TABLE: self.dependents}

        return Snapshot({TABLE: "digest"}, lambda ref: ref, dependents=Dependents(read))


def test_nothing_is_read_for_who_does_not_ask():
    one, other = Catalogue(VIEW), Catalogue()
    assert one.snapshot().same(other.snapshot())
    assert (one.read, other.read) == (0, 0)


def test_changes_on_a_snapshot_do_not_read_again():
    catalogue = Catalogue(VIEW)
    snapshot = catalogue.snapshot()
    assert snapshot.with_changes({}).dependents(TABLE) == (VIEW,)
    assert snapshot.dependents(TABLE) == (VIEW,)
    assert catalogue.read == 1


def test_what_was_asked_of_one_reading_must_be_so_in_the_other():
    before = Catalogue(VIEW).snapshot()
    assert before.dependents(TABLE) == (VIEW,)
    assert before.same(Catalogue(VIEW).snapshot())
    assert not before.same(Catalogue().snapshot())
