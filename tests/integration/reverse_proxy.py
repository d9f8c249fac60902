"""A reverse proxy as small as can be, as a process: python reverse_proxy.py http://127.0.0.1:8000

It prints its port and passes GET on, with the client's address at the end of X-Forwarded-For, as nginx does by
`proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for`.
"""

import http.client
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

BEHIND = urlsplit(sys.argv[1])
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


class Passing(BaseHTTPRequestHandler):
    """Passes one connection's requests on."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Ask the service and answer as it does."""
        chain = [*self.headers.get_all("X-Forwarded-For", []), self.client_address[0]]
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        headers = {name: value for name, value in headers.items() if name.lower() != "x-forwarded-for"}
        behind = http.client.HTTPConnection(BEHIND.hostname or "", BEHIND.port, timeout=30)
        behind.request("GET", self.path, headers=headers | {"X-Forwarded-For": ", ".join(chain)})
        answer = behind.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        behind.close()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
    print(server.server_address[1], flush=True)
    server.serve_forever()
