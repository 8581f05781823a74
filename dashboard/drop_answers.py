"""What the drop zone's script asks: begin, each file, finish, cancel.

    POST   /drop/look              the same list -> how many files and bytes of it would come, what would not
    POST   /drop/begin             {"folder": NAME, "files": [[PATH, BYTES], ...]} -> key, what is left out
    PUT    /drop/KEY/NUMBER        the file's bytes
    POST   /drop/KEY/finish        -> the folder's name in the inbox
    DELETE /drop/KEY

A refusal is one sentence of text. The guard has seen that the question comes from the page itself.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.requests import ClientDisconnect

from broker.reviewer import login
from dashboard.access import Person, Role, person_of
from dashboard.arriving import receive
from dashboard.declared import Plan, Refused
from dashboard.told import tell
from dashboard.uploads import Upload, Uploads

LIST_BYTES = 16_000_000
"""The longest list of files: 50,000 of them with paths of 300 characters."""
LISTS = 2
"""Lists that are read at a time, as each takes many times its bytes in memory; others wait for their turn."""
LIST_S = 30.0
"""How long a list may take to come."""


def add_answers(made: FastAPI, uploads: Uploads) -> None:
    """Add the addresses."""
    turn = asyncio.Semaphore(LISTS)

    @made.post("/drop/begin")
    async def begin(request: Request) -> Response:
        return await _answered(request, lambda person: _begin(uploads, person, request, turn))

    @made.post("/drop/look")
    async def look(request: Request) -> Response:
        return await _answered(request, lambda _: _look(uploads, request, turn))

    @made.put("/drop/{key}/{number}")
    async def put(request: Request, key: str, number: int) -> Response:
        return await _answered(request, lambda person: _put(uploads, person, request, key, number))

    @made.post("/drop/{key}/finish")
    async def finish(request: Request, key: str) -> Response:
        return await _answered(request, lambda person: _finish(uploads, person, key))

    @made.delete("/drop/{key}")
    async def cancel(request: Request, key: str) -> Response:
        return await _answered(request, lambda person: _cancel(uploads, person, key))


async def _answered(request: Request, work: Callable[[Person], Awaitable[object]]) -> Response:
    """Answer with what `work` returns, or with the sentence of a refusal."""
    person = person_of(request)
    if person.role < Role.REVIEWER:
        return PlainTextResponse("Dropping photos needs the role reviewer.", status_code=403)
    try:
        return JSONResponse(await work(person))
    except Refused as why:
        return PlainTextResponse(str(why), status_code=why.status)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it


async def _look(uploads: Uploads, request: Request, turn: asyncio.Semaphore) -> dict[str, Any]:
    async with turn:
        plan = await asyncio.to_thread(_looked, uploads, await _list(request))
    return {"files": len(plan.files), "size": plan.size, "leftOut": _left_out(plan)}


def _looked(uploads: Uploads, body: bytes) -> Plan:
    return uploads.plan(read_list(body)[1])


async def _begin(
    uploads: Uploads, person: Person, request: Request, turn: asyncio.Semaphore
) -> dict[str, Any]:
    async with turn:
        body = await _list(request)
        upload = await asyncio.to_thread(_begun, uploads, person, body)
    return {
        "key": upload.key,
        "folder": upload.name,
        "files": list(upload.plan.files),
        "leftOut": _left_out(upload.plan),
    }


def _left_out(plan: Plan) -> list[tuple[int, str]]:
    return list(plan.left_out.items())


async def _list(request: Request) -> bytes:
    """Return the list's bytes. Raises Refused where they are too many, or do not come."""
    body = bytearray()
    try:
        async with asyncio.timeout(LIST_S):
            async for piece in request.stream():
                body += piece
                if len(body) > LIST_BYTES:
                    raise Refused(413, f"The list of files is longer than {LIST_BYTES:,} bytes.")
    except TimeoutError as error:
        raise Refused(408, f"The list of files did not come within {LIST_S:g} seconds.") from error
    return bytes(body)


def _begun(uploads: Uploads, person: Person, body: bytes) -> Upload:
    folder, declared = read_list(body)
    return uploads.begin(person.name, folder, declared)


def read_list(body: bytes) -> tuple[str, list[tuple[str, int]]]:
    """Return the folder's name, and each file's path and size. Raises Refused."""
    try:
        said = json.loads(body)
        folder, files = said["folder"], [(path, size) for path, size in said["files"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(400, "This is no list of files.") from error
    if not isinstance(folder, str) or not all(
        isinstance(path, str) and type(size) is int for path, size in files
    ):
        raise Refused(400, "This is no list of files.")
    return folder, files


async def _put(uploads: Uploads, person: Person, request: Request, key: str, number: int) -> dict[str, Any]:
    upload = uploads.of(key, person.name)
    planned = upload.plan.files.get(number)
    announced = request.headers.get("content-length", "")
    if planned is not None and announced.isdecimal() and int(announced) != planned.size:
        raise Refused(413, f"{int(announced):,} bytes are not the {planned.size:,} that were announced.")
    await receive(uploads, upload, number, request.stream())
    return {}


async def _finish(uploads: Uploads, person: Person, key: str) -> dict[str, Any]:
    done = await asyncio.to_thread(uploads.finish, uploads.of(key, person.name))
    who = done.who or login()
    tell("info", "folder-dropped", folder=done.folder, files=done.files, bytes=done.size, by=who)
    return {"folder": done.folder, "files": done.files}


async def _cancel(uploads: Uploads, person: Person, key: str) -> dict[str, Any]:
    await asyncio.to_thread(uploads.discard, uploads.of(key, person.name))
    return {}
