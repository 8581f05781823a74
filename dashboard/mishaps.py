"""What a page looks like that is not there, or that failed, and what is said when the connection is lost."""

import sys
from typing import Literal

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from nicegui import Client, app, core, html, ui
from nicegui.translations import translations
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from broker.errors import SettingsError
from dashboard.access import AccessError, trouble
from dashboard.frame import frame, note
from dashboard.site import Site
from dashboard.told import tell

LANGUAGE: Literal["en-US"] = "en-US"
LOST = "The connection to Tailorbird is lost."
TRYING = "What you see is no longer up to date. Trying again; if it lasts: is ./tailorbird up still running?"
NO_PAGE = "There is no page at this address."
NO_SENSE = "This address holds something that the page does not understand."
DEFECT = "This page has failed, by a defect of Tailorbird; the log of the dashboard says more. Load it again?"
TOO_SLOW = "This page took too long: the machine is busy, or the database locked. Load it again."


def add(made: FastAPI, _: Site) -> None:
    """Put our own pages in the place of NiceGUI's, and our own words."""
    translations[LANGUAGE] |= {"connection_lost": LOST, "trying_to_reconnect": TRYING}
    app.add_exception_handler(404, _not_found)
    app.add_exception_handler(RequestValidationError, _not_understood)
    made.add_exception_handler(AccessError, _signed_out)
    made.add_exception_handler(Exception, _broken)
    app.on_page_exception(_failed)
    # What a browser says of itself: anybody who looks could write what they like into our log.
    core.sio.on("log", _unheard)
    # What NiceGUI makes of a page that is not ready in time, it makes by this function of its own.
    vars(sys.modules[ui.page.__module__])["error_content"] = _too_slow


def _said(title: str, text: str) -> None:
    with frame(title, ""):
        note(text, "trouble")
        html.a("Go to Today", href="/")


async def _not_found(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and not _is_of_a_page(request):
        return await http_exception_handler(request, error)
    return _page(request, 404, "No such page", NO_PAGE)


async def _not_understood(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError) and not _is_of_a_page(request):
        return await request_validation_exception_handler(request, error)
    return _page(request, 422, "Not understood", NO_SENSE)


def _signed_out(_: Request, error: Exception) -> Response:
    """Answer who asked for a file, or sent one, while the session ended."""
    said = str(error)
    return PlainTextResponse(f"{said[:1].upper()}{said[1:]}.\n", 401)


def _is_of_a_page(request: Request) -> bool:
    """Tell whether somebody looks at the answer, rather than a script or a style that a page asks for."""
    return request.scope.get("endpoint") in {None, app} or request.url.path in Client.page_routes.values()


def _page(request: Request, status: int, title: str, text: str) -> Response:
    with Client(ui.page(""), request=request) as client:
        _said(title, text)
    return client.build_response(request, status)


async def _broken(request: Request, error: Exception) -> Response:
    """Answer who asked for a file that could not be made; uvicorn logs the error itself."""
    tell("error", "page-failed", page=request.url.path, error=type(error).__name__)
    return PlainTextResponse(f"{DEFECT}\n", 500)


def _failed(error: Exception) -> None:
    """Make the page in the place of one that raised; NiceGUI logs the error itself."""
    if isinstance(error, SettingsError):
        said = trouble(error)
    else:
        said, request = DEFECT, ui.context.client.request
        tell("error", "page-failed", page=request.url.path if request else "", error=type(error).__name__)
    _said("This page failed", said)


async def _unheard(*_: object) -> None:
    """Write nothing."""


def _too_slow(_status: int, _message: object = "") -> None:
    _said("This page took too long", TOO_SLOW)
