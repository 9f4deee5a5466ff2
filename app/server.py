"""What the server answers beside the pages: images by URL, and whether it is well.

An image's address holds the key of the artefact it comes from, so it never changes and browsers may keep it. Addresses are
signed by run and artefact: a route answers without a Streamlit session, and a login must not be walked around by guessing names. Where
there is a login, addresses end after a day or two.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from urllib.parse import quote

import numpy as np
import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app import asking, thumbnails
from app.opened import opened
from badood.core.artefacts import alone, atomic_file, home
from badood.core.errors import BadInput
from badood.data.images import png
from badood.explore.finished import Finished
from badood.explore.gallery import Addresses
from badood.jobs.beside import dismiss_worker, ensure_worker
from badood.jobs.worker import alive

_DAYS = 1
"""How long an address is good for after the day on which a person who logged in got it."""

_FOR_EVER = 0
"""In the place of a day, where nobody logs in."""

_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}


@asynccontextmanager
async def lifespan(app: object) -> AsyncIterator[None]:
    """A worker is there as long as the dashboard is; one that still works when the dashboard ends finishes its job."""
    ensure_worker()
    asking.warm()
    yield
    asking.close()
    dismiss_worker()


def outlier_url(found: Finished, outlier_id: int) -> str:
    """Address of an outlier's image."""
    return outlier_urls(found).replace(NUMBER, str(outlier_id))


def addresses(found: Finished) -> Addresses:
    """Addresses of many images of a run: what is the same for all of them is signed once."""
    outliers = outlier_urls(found)
    return Addresses(lambda outlier_id: outliers.replace(NUMBER, str(outlier_id)), partial(id_url, found))


NUMBER = "{outlier_id}"
"""Stands for the number in `outlier_urls`."""


def outlier_urls(found: Finished) -> str:
    """Address of any outlier's image, with `NUMBER` for its outlier_id."""
    return _signed(found.run.id, found.outliers.key, f"outlier-{NUMBER}")


def id_url(found: Finished, row: int) -> str:
    """Address of an ID training image by its row."""
    return _signed(found.run.id, found.encoded_key, f"id-{row}")


def grid_url(found: Finished, semantic: int, covariate: int, number: int) -> str:
    """Address of an image of the shift grid."""
    return _signed(found.run.id, found.encoded_key, f"grid-{semantic}-{covariate}-{number}")


def _signed(run: str, key: str, name: str) -> str:
    until = today() + _DAYS if st.user.get("is_logged_in") else _FOR_EVER
    return f"/images/{quote(run)}/{key}/{name}?u={until}&s={_signature(run, key, str(until))}"


def today() -> int:
    """Days since 1970."""
    return int(time.time() // 86_400)


def _signature(*parts: str) -> str:
    return hmac.new(_secret(), "/".join(parts).encode(), hashlib.sha256).hexdigest()[:20]


@lru_cache(maxsize=1)
def _secret() -> bytes:
    """The store's key for signatures, made once; only its owner may read it."""
    path = home() / "image-key"
    with alone(path):  # of two dashboards that start on a store, one makes it
        if not path.exists():
            with atomic_file(path) as part:
                part.touch(mode=0o600)
                part.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()


async def image(request: Request) -> Response:
    """An image of a run: at once where it is in memory, else read in a thread, so that others need not wait."""
    run, key, name = (request.path_params[part] for part in ("run", "key", "name"))
    until, given = (request.query_params.get(part, "") for part in ("u", "s"))
    if not hmac.compare_digest(given.encode(errors="replace"), _signature(run, key, until).encode()):  # of text, only ASCII can be compared
        return PlainTextResponse("This address is not signed by this store.", 403)
    if until != str(_FOR_EVER) and int(until) < today():  # signed, hence a number
        return PlainTextResponse("This address has ended; open the page again.", 403)
    kind, *numbers = name.split("-")
    try:
        data = thumbnails.ready(run, key, int(numbers[0])) if kind == "outlier" else None
        data = data or await run_in_threadpool(_read, run, key, kind, [int(number) for number in numbers])
    except BadInput as error:
        return PlainTextResponse(str(error), 404)
    return Response(data, media_type="image/png", headers=_FOREVER)


def _read(run: str, key: str, kind: str, numbers: list[int]) -> bytes:
    if kind == "outlier":
        return thumbnails.read(run, key, numbers)[numbers[0]]
    found = opened(run)
    if kind == "id":
        return thumbnails.small(png(found.train.pixels.array(numbers)[0]))
    semantic, covariate, number = numbers
    levels = found.grid.levels
    cell = np.flatnonzero((levels["semantic"] == semantic) & (levels["covariate"] == covariate))
    return thumbnails.small(png(found.grid.pixels.array([int(cell[number % len(cell)])])[0]))


def read_ahead(found: Finished, ids: Sequence[int]) -> None:
    """Read images of outliers in the background, for addresses that a page is about to name."""
    thumbnails.read_ahead(found.run.id, found.outliers.key, ids)


def health(request: Request) -> Response:
    """Whether the dashboard and a worker are there."""
    return JSONResponse({"status": "ok", "worker": alive()})


ROUTES = [Route("/images/{run}/{key}/{name}", image), Route("/api/health", health)]
