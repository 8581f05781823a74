"""Label Studio's JSON: tasks with the model's answers, and what people have made of them.

The format: labelstud.io/guide/task_format and labelstud.io/guide/predictions. `data` tells job and image, so
that an answer finds its way back; of JSON-MIN, where a task is flat, the same names are read.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from store.selections import Labelled

CHOICES, IMAGE = "label", "image"
"""`from_name` and `to_name`: the names of the tags in the labelling configuration."""

JOB, NAME, FOLDER = "job_id", "name", "folder"


@dataclass(frozen=True)
class Answer:
    """What a task says that an image shows."""

    task: int
    job_id: str
    image: str
    label: str


@dataclass(frozen=True)
class Complaint:
    """Why a task cannot be taken; one sentence that begins with its place, counted from 1."""

    text: str


def task_of(one: Labelled, picture: str) -> dict[str, Any]:
    """Return the task of an image: its prediction, and a person's answer where there is one."""
    answer = {"model_version": one.model_version, "score": one.confidence, "result": [_choice(one.label)]}
    return {
        "data": {IMAGE: picture, JOB: one.job_id, FOLDER: one.folder, NAME: one.image},
        "predictions": [answer],
        "annotations": [{"result": [_choice(one.reviewed)]}] if one.reviewed else [],
    }


def data_uri(file: bytes) -> str:
    """Return a PNG file as a URI that holds it."""
    return f"data:image/png;base64,{base64.b64encode(file).decode()}"


def _choice(label: str) -> dict[str, Any]:
    return {"from_name": CHOICES, "to_name": IMAGE, "type": "choices", "value": {"choices": [label]}}


def answers_in(content: Any) -> Iterator[Answer | Complaint]:
    """Yield a file's answers, and what is wrong; tasks that nobody has answered are passed over."""
    if not isinstance(content, list):
        yield Complaint("the file holds no list of tasks")
        return
    for place, task in enumerate(content, start=1):
        try:
            label = _label(task)
            if label is not None:
                yield Answer(place, *_image(task), label)
        except ValueError as error:
            yield Complaint(f"task {place}: {error}")


def _label(task: Any) -> str | None:
    if not isinstance(task, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - one kind of error for all that a file can hold
    if "data" not in task:
        return None if task.get(CHOICES) in (None, "", []) else _only(task[CHOICES])
    given = [one for one in _list(task, "annotations") if not one.get("was_cancelled")]
    # The latest: `max` keeps the first of equals, and without times the last in the list is the latest.
    latest = max(reversed(given), key=lambda one: str(one.get("updated_at") or ""), default=None)
    if latest is None:
        return None
    found = [
        one["value"] for one in _list(latest, "result") if one.get("type") == "choices" and "value" in one
    ]
    return _only(found[0]) if found else None


def _list(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = holder.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{name} is no list of objects")
    return found


def _only(value: Any) -> str:
    """Return the one choice: a name, or an object or a list that holds it."""
    found = value.get("choices") if isinstance(value, dict) else value
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, str):
        raise ValueError("it has not one choice")  # noqa: TRY004 - as above
    return found


def _image(task: dict[str, Any]) -> tuple[str, str]:
    data = task.get("data", task)
    job_id, image = (data.get(JOB), data.get(NAME)) if isinstance(data, dict) else (None, None)
    if not (_is_text(job_id) and _is_text(image)):
        raise ValueError(f"its data has no {JOB} and {NAME}: was it exported by `labels export`?")
    return job_id, image


def _is_text(value: Any) -> TypeGuard[str]:
    """Tell whether it is a text that a database takes: JSON knows halves of letters, and NUL."""
    return isinstance(value, str) and value != "" and re.search("[\x00\ud800-\udfff]", value) is None
