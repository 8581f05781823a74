"""Topics: how they are made, read and matched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import MessageError
from broker.topics import Topics, check_topic, is_source, matches

TOPICS = Topics("tailorbird")


def test_topics_stand_below_root_and_version() -> None:
    """Every topic of the wire is spelled here once; a change is a new version."""
    assert [
        "tailorbird/v1/pixels/shop",
        "tailorbird/v1/predictions/shop",
        "tailorbird/v1/shadows/shop",
        "tailorbird/v1/receipts/shop",
        "tailorbird/v1/failures/shop",
        "tailorbird/v1/rejects/store",
        "tailorbird/v1/jobs/shop",
        "tailorbird/v1/summaries/shop",
        "tailorbird/v1/events/store",
        "tailorbird/v1/model",
        "tailorbird/v1/status/store/main",
        "tailorbird/v1/answers/till-3",
        "$share/predictors/tailorbird/v1/pixels/+",
        "tailorbird/v1/#",
    ] == [
        TOPICS.pixels("shop"),
        TOPICS.predictions("shop"),
        TOPICS.shadows("shop"),
        TOPICS.receipts("shop"),
        TOPICS.failures("shop"),
        TOPICS.rejects("store"),
        TOPICS.jobs("shop"),
        TOPICS.summaries("shop"),
        TOPICS.events("store"),
        TOPICS.model(),
        TOPICS.status("store", "main"),
        TOPICS.answers("till-3"),
        TOPICS.shared(TOPICS.pixels()),
        TOPICS.everything(),
    ]


def test_root_may_have_several_levels() -> None:
    """A root such as `shop/berlin` is put before everything, and taken off again."""
    topics = Topics("shop/berlin")
    assert "shop/berlin/v1/model" == topics.model()
    assert "pixels" == topics.kind(topics.pixels("a"))


def test_kind_and_last_read_a_topic() -> None:
    """The level below the version and the last level are found; foreign topics have no kind."""
    assert ("pixels", "shop") == (TOPICS.kind(TOPICS.pixels("shop")), TOPICS.last(TOPICS.pixels("shop")))
    assert ("", "") == (TOPICS.kind("other/v1/pixels/shop"), TOPICS.kind("tailorbird/v2/pixels/shop"))


@pytest.mark.parametrize("name", ["shop", "a", "A-1_b", "canary-shop", "x" * 64])
def test_source_name_that_may_stand_in_a_topic(name: str) -> None:
    """Letters, digits, `_` and `-` make a source."""
    assert is_source(name)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "+", "#", "ä", "a\n", "x" * 65])
def test_source_name_that_may_not(name: str) -> None:
    """Anything else does not, a line break at the end included."""
    assert not is_source(name)


@pytest.mark.parametrize(
    ("wanted", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("#", "a/b", True),
        ("+/b", "a/b", True),
        ("+", "a/b", False),
        ("a/b/c", "a/b", False),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$share/g/a/+", "a/b", True),
        ("$share/g/a/+", "b/b", False),
        ("a/+/c", "a//c", True),
        ("$share/g", "a", False),
        ("$share/g/", "", False),
    ],
)
def test_filter_matches_as_the_standard_says(wanted: str, topic: str, expected: bool) -> None:  # noqa: FBT001
    """The examples of MQTT 5, section 4.7."""
    assert expected == matches(wanted, topic)


@given(st.text())
def test_any_text_is_a_topic_to_publish_on_or_a_message_error(text: str) -> None:
    """What passes is free of wildcards, control characters and half characters."""
    try:
        check_topic(text)
    except MessageError:
        return
    assert not set(text) & {"+", "#", "\x00", "\n"}
    assert text.encode().decode() == text
