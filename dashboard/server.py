"""The page's addresses, and the web server around them."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from broker.errors import BrokerProblem
from broker.health import Health
from broker.listeners import EVERY_ADDRESS
from broker.settings import Dashboard
from dashboard import (
    drop,
    event_log,
    exports,
    job,
    jobs,
    mishaps,
    models,
    originals,
    quality,
    review,
    system,
    today,
)
from dashboard.certificate import Certificate
from dashboard.gate import Gate
from dashboard.guard import Guard
from dashboard.leaving import Leaving
from dashboard.place import url_of
from dashboard.site import Site

TURN_S = 0.5
GRACE_S = 2
BACK_S = 30.0
"""How long a page is kept for a browser that is cut off; it tries again every few seconds.

A browser that is busy is cut off as well, and what somebody does until it notices is lost: NiceGUI gives it
two fifths of this to answer a ping. It pings every four fifths: a network that is gone is told after 36 s.
"""
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7"'
    ' fill="#005a9c"/>'
    '<path d="M9 22 L22 9 M9 22 c5 1 12-3 13-13" stroke="#fff" stroke-width="2.5" fill="none"/></svg>'
)


def listening(settings: Dashboard) -> socket.socket:
    """Return the page's socket. Raises BrokerProblem when it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    both = settings.host == EVERY_ADDRESS and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((settings.host, settings.port), family=family, dualstack_ipv6=both)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        why = os.strerror(error.errno) if error.errno else str(error)
        raise BrokerProblem(f"{where}: {why}; [dashboard] port names another, or 0 for no page") from error


def server(site: Site, health: Health, gate: Gate) -> uvicorn.Server:
    """Return the web server, ready to run. Raises BrokerProblem where its certificate cannot be used."""
    certificate = Certificate(site.settings.dashboard) if gate.tls else None
    application = _application(site, health, certificate)
    return uvicorn.Server(
        uvicorn.Config(
            Guard(application, gate),
            access_log=False,
            date_header=True,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            ssl_context_factory=None if certificate is None else lambda *_: certificate.context,
            timeout_graceful_shutdown=GRACE_S,
        )
    )


def _application(site: Site, health: Health, certificate: Certificate | None) -> FastAPI:
    @contextlib.asynccontextmanager
    async def turning(_: FastAPI) -> AsyncIterator[None]:
        health.connected = True  # it serves without a broker too, and says so on the page
        health.serves(f"serving {url_of(site.settings.dashboard)}")
        task = asyncio.create_task(_turn(health, certificate))
        yield
        health.stopping()
        task.cancel()

    made = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=turning)
    _add_pages(made, site)
    ui.run_with(
        made,
        title="Tailorbird",
        favicon=FAVICON,
        dark=None,
        language=mishaps.LANGUAGE,
        tailwind=False,
        show_welcome_message=False,
        binding_refresh_interval=None,
        reconnect_timeout=BACK_S,
    )
    return made


async def _turn(health: Health, certificate: Certificate | None) -> None:
    """Say that the loop turns, for as long as it does, and see to what changes meanwhile."""
    leaving = Leaving()
    while True:
        health.turned()
        leaving.step()
        if certificate is not None:
            certificate.step()
        await asyncio.sleep(TURN_S)


def _add_pages(made: FastAPI, site: Site) -> None:
    pages = (today, drop, jobs, job, originals, quality, review, models, system, event_log, exports, mishaps)
    for page in pages:
        page.add(made, site)
