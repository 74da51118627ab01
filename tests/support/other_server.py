"""The edge's app on protocols that know nothing of it: `other_server.py h11|httptools|tls [CERTIFICATE KEY]`."""

import sys

import uvicorn
from tailrace_edge.app import create_app
from tailrace_edge.logs import configure_logs
from tailrace_edge.server import EdgeServer, make_config
from tailrace_edge.settings import Settings


def make_server(settings: Settings, kind: str, files: list[str]) -> uvicorn.Server:
    """Return the edge's server with one of uvicorn's own protocols, or with the edge's and a certificate."""
    app = create_app(settings)
    config = make_config(app, settings)
    if kind == "tls":
        config.ssl_certfile, config.ssl_keyfile = files
    else:
        config.http = "h11" if kind == "h11" else "httptools"
    config.host = settings.host
    config.port = settings.port
    return EdgeServer(config, app.state.edge)


if __name__ == "__main__":
    chosen = Settings()
    configure_logs(chosen.log_level, chosen.log_format)
    make_server(chosen, sys.argv[1], sys.argv[2:]).run()
