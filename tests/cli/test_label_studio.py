"""Label Studio's JSON, written and read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.label_studio import Answer, Complaint, answers_in, data_uri, task_of
from store.selections import Labelled

ONE = Labelled("j1", "shop", "autumn", "a.png", "Bag", 0.75, "m1", 1, "Coat")
RESULT = [{"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": ["Coat"]}}]


def test_task_holds_prediction_and_answer() -> None:
    """In the form that Label Studio imports."""
    assert {
        "data": {"image": "data:x", "job_id": "j1", "folder": "autumn", "name": "a.png"},
        "predictions": [
            {
                "model_version": "m1",
                "score": 0.75,
                "result": [
                    {
                        "from_name": "label",
                        "to_name": "image",
                        "type": "choices",
                        "value": {"choices": ["Bag"]},
                    }
                ],
            }
        ],
        "annotations": [{"result": RESULT}],
    } == task_of(ONE, "data:x")
    assert "data:image/png;base64,AAE=" == data_uri(b"\0\1")


def test_task_that_was_written_is_read_again() -> None:
    """Its answer is the person's."""
    assert [Answer(1, "j1", "a.png", "Coat")] == list(answers_in(json.loads(json.dumps([task_of(ONE, "")]))))


def task(**fields: Any) -> dict[str, Any]:
    """Return a task as Label Studio exports it."""
    return {"id": 7, "data": {"job_id": "j1", "name": "a.png"}, **fields}


def answer(label: str, **fields: Any) -> dict[str, Any]:
    """Return an annotation as Label Studio exports it."""
    return {
        "id": 1,
        "completed_by": 1,
        "result": [{"type": "choices", "value": {"choices": [label]}}],
        **fields,
    }


@pytest.mark.parametrize(
    "one",
    [
        task(annotations=[answer("Bag", was_cancelled=True), answer("Coat")]),
        task(annotations=[answer("Coat", updated_at="2026-11-22"), answer("Bag", updated_at="2026-11-21")]),
        task(annotations=[answer("Bag"), answer("Coat")]),
        {"id": 7, "job_id": "j1", "name": "a.png", "image": "data:x", "label": "Coat", "annotator": 1},
        {"job_id": "j1", "name": "a.png", "label": {"choices": ["Coat"]}},
    ],
)
def test_latest_answer_is_taken(one: dict[str, Any]) -> None:
    """Of JSON and of JSON-MIN; those that were cancelled are none."""
    assert [Answer(1, "j1", "a.png", "Coat")] == list(answers_in([one]))


@pytest.mark.parametrize("one", [task(), task(annotations=[]), {"job_id": "j1", "name": "a.png"}])
def test_task_without_an_answer_is_passed_over(one: dict[str, Any]) -> None:
    """Nobody has looked at it yet."""
    assert [] == list(answers_in([one]))


@pytest.mark.parametrize(
    ("one", "complaint"),
    [
        (3, "it is no object"),
        ({"data": {}, "annotations": [answer("Bag")]}, "its data has no job_id and name"),
        ({"job_id": "j1", "name": "a\0", "label": "Bag"}, "its data has no job_id and name"),
        (task(annotations="x"), "annotations is no list of objects"),
        ({"job_id": "j1", "name": "a", "label": {"choices": ["Bag", "Coat"]}}, "it has not one choice"),
    ],
)
def test_task_that_is_wrong_is_one_line(one: Any, complaint: str) -> None:
    """With its place in the file; the next one is read."""
    found = list(answers_in([one, task(annotations=[answer("Coat")])]))

    assert isinstance(found[0], Complaint)
    assert found[0].text.startswith(f"task 1: {complaint}")
    assert [Answer(2, "j1", "a.png", "Coat")] == found[1:]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "annotations", "result", "value", "choices", "type", "label", "name", "job_id"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_answers_or_complaints(content: Any) -> None:
    """Whatever the file holds."""
    assert all(isinstance(one, Answer | Complaint) for one in answers_in(content))
