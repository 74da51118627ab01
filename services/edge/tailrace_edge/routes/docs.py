"""`/docs`: the OpenAPI document as a page, with scripts of the edge's own."""

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

# Relative addresses, since a proxy may serve the edge below a path of its own, and over another scheme.
_ASSETS = "docs/assets"

assets = StaticFiles(packages=[("fastapi_swagger", "resources")])
"""Of Swagger UI, as the package brings them."""


@router.get("/docs")
async def show_docs() -> HTMLResponse:
    """Return the page."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Tailrace edge",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon-32x32.png",
    )
