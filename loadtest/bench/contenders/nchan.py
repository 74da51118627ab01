"""nchan in nginx: one worker, messages in shared memory, EventSource subscribers."""

import os
from collections.abc import Mapping
from typing import Any

from bench.contenders.contender import Contender, Place, make_request
from bench.contenders.packages import require_programs
from bench.machine import ask_version
from bench.processes import Process, pick_port

_NGINX = "/usr/sbin/nginx"
_MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"

_CONFIG = """\
load_module {module};
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 19500; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    nchan_shared_memory_size 1024M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location ~ ^/sub/(.+)$ {{
            nchan_subscriber eventsource;
            nchan_channel_id $1;
            nchan_subscriber_first_message newest;
            nchan_subscriber_timeout 0;
            nchan_eventsource_ping_interval 15;
        }}
        location ~ ^/pub/(.+)$ {{
            nchan_publisher http;
            nchan_channel_id $1;
            nchan_message_buffer_length 200000;
            nchan_message_timeout 10m;
        }}
    }}
}}
"""


class Nchan(Contender):
    """Debian's nginx with its nchan module."""

    name = "nchan"
    title = "nchan in nginx"

    def prepare(self, *, install: bool) -> None:
        require_programs([_NGINX, _MODULE], ["nginx", "libnginx-mod-nchan"], install=install)

    def find_version(self) -> str:
        package = ask_version("dpkg-query", "-W", "libnginx-mod-nchan").replace("\t", " ")
        return f"{ask_version(_NGINX, '-v').partition(': ')[2]}, {package}"

    def start(self, place: Place) -> None:
        place.folder.mkdir(parents=True, exist_ok=True)
        port = pick_port()
        config = place.folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        config.write_text(_CONFIG.format(module=_MODULE, folder=place.folder, port=port, user=user))
        process = self.keep(Process("nginx", [_NGINX, "-c", config], cores=place.cores.server, folder=place.folder))
        process.wait_port(port)
        self.servers = [process]
        self.targets = [f"127.0.0.1:{port}"]
        self._url = f"http://127.0.0.1:{port}"

    def describe_sink(self) -> Mapping[str, Any]:
        return {"kind": "http", "address": self._url, "path": "/pub/{topic}"}

    def make_request(self, topic: str = "bench.0") -> str:
        return make_request(f"/sub/{topic}")
