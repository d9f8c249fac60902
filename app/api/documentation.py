"""The API's own documentation: Swagger UI from files of this package, so that it works without a network."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

STATIC = Path(__file__).resolve().parent.parent / "web" / "static"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def swagger() -> FileResponse:
    """The page that shows /openapi.json."""
    return FileResponse(STATIC / "swagger" / "index.html", media_type="text/html")


def install_documentation(app: FastAPI) -> None:
    """Serve /docs and the files it needs."""
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
