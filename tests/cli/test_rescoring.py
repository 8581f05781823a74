"""What another bundle would change, as pure figures."""

from cli.rescoring import Answer, Rescored, compare


def one(
    image: str, before: tuple[str, float], after: tuple[str, float], right: str | None = None
) -> Rescored:
    """Return an image with two answers."""
    return Rescored("j1", image, Answer(*before), Answer(*after), right)


def test_comparison_counts_pairs_the_most_frequent_first() -> None:
    """Images that keep their label are no pair."""
    found = compare(
        [
            one("a", ("Bag", 0.5), ("Bag", 0.75)),
            one("b", ("Coat", 0.5), ("Dress", 0.5)),
            one("c", ("Coat", 0.5), ("Dress", 0.25)),
            one("d", ("Bag", 0.5), ("Coat", 0.5)),
        ],
        limit=9,
    )

    assert (4, 3) == (found.images, found.changed)
    assert [("Coat", "Dress", 2), ("Bag", "Coat", 1)] == found.pairs_by_count()
    assert (0.5, 0.5) == (found.mean(found.before), found.mean(found.after))


def test_changes_are_the_surest_and_bounded() -> None:
    """By both confidences together; what exceeds the limit is counted all the same."""
    doubtful, sure, middle = (one(str(p), ("Bag", p), ("Coat", p)) for p in (0.3, 0.9, 0.6))

    assert [sure, middle] == compare([doubtful, sure, middle], limit=2).changes
    nobody = compare([doubtful, sure, middle], limit=0)
    assert (3, []) == (nobody.changed, nobody.changes)


def test_right_answers_count_among_the_reviewed_alone() -> None:
    """Before and after."""
    found = compare(
        [
            one("a", ("Bag", 0.5), ("Coat", 0.5), right="Coat"),
            one("b", ("Bag", 0.5), ("Bag", 0.5), right="Bag"),
            one("c", ("Bag", 0.5), ("Bag", 0.5)),
        ],
        limit=0,
    )

    assert (2, 1, 2) == (found.reviewed, found.before.right, found.after.right)


def test_suspects_count_on_either_side() -> None:
    """Whatever the label."""
    found = compare([Rescored("j", "a", Answer("Bag", 1, suspect=True), Answer("Bag", 1))], limit=0)

    assert (1, 0) == (found.before.suspect, found.after.suspect)


def test_comparison_of_nothing_has_no_mean() -> None:
    """Rather than a division by nothing."""
    found = compare([], limit=1)

    assert (0, 0, None) == (found.images, found.changed, found.mean(found.before))
