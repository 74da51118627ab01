"""The page's server: four files on a port of their own, and where the edges are."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tailrace_protocol.errors import SetupError

_TYPES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/tailrace-element.js": ("tailrace-element.js", "text/javascript; charset=utf-8"),
}


class PageServer:
    """Serves the demo's page on loopback, from a thread of its own.

    Attributes:
        url: of the page.
        edge_url: what its browser connects to; while it is empty, browsers are told to come again in a second.
    """

    def __init__(self, port: int = 0) -> None:
        """Listen; nothing is answered before the server is entered.

        Args:
            port: to listen on; 0 for any that is free.

        Raises:
            SetupError: the port is taken.
        """
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), self._make_handler())
        except OSError as error:
            raise SetupError(f"cannot listen on port {port}: {error.strerror}; choose another with --port") from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.edge_url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def read(self, path: str) -> tuple[bytes, str] | None:
        """Return body and content type of a path; None if there is nothing."""
        if path not in _TYPES:
            return None
        name, content_type = _TYPES[path]
        body = files("tailrace_demo").joinpath("page", name).read_text("utf-8")
        return body.replace("{{edge}}", self.edge_url).encode(), content_type

    @property
    def origins(self) -> list[str]:
        """From where the page's browser asks the edges."""
        return [self.url, self.url.replace("127.0.0.1", "localhost")]

    @property
    def policy(self) -> str:
        """What the page may load (CSP): its own files, and the edges' streams."""
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
            f"connect-src {self.edge_url}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not page.edge_url:
                    # A page without its edges would stay without them: its policy names what it may connect to.
                    self._answer(503, b"The edges are starting.\n", "text/plain; charset=utf-8", ("refresh", "1"))
                    return
                found = page.read(urlsplit(self.path).path)
                if found is None:
                    self.send_error(404)
                    return
                self._answer(200, *found, ("content-security-policy", page.policy))

            def _answer(self, status: int, body: bytes, content_type: str, header: tuple[str, str]) -> None:
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(body)))
                self.send_header(*header)
                self.send_header("cache-control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: the terminal shows the jobs."""

        return Handler
