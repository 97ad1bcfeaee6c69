"""The HTTP side: connections are kept, and requests take turns.

Plain moto runs requests in parallel threads over state without locks: of 300 compare-and-set races 8
had two winners. Here a request holds TURN while it runs, so each is atomic, in every service. Python
runs one thread at a time anyway, so nothing is lost by it. A long poll gives its turn away while it
waits. Bodies are read before the turn starts: a slow client stops nobody.

Plain moto also closes the connection after each request, which costs more than most requests.
"""
import io
import select
import socket
import socketserver
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

TURN = threading.Condition()  # over a re-entrant lock
_asking = threading.local()  # .connection: whom this thread answers

POLL = 0.05  # seconds between two looks of a long poll: a delayed message becomes visible unannounced


class ClientGone(Exception):
    """The client of a long poll hung up: whatever came now would be received by nobody."""


def wait_for_change() -> None:
    """Gives the turn away until something was sent, or for one POLL."""
    TURN.wait(POLL)
    need_client()


def need_client() -> None:
    readable, _, _ = select.select([_asking.connection], [], [], 0)
    if readable and not _asking.connection.recv(1, socket.MSG_PEEK):
        raise ClientGone


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together ...
    disable_nagle_algorithm = True  # ... and at once
    server: "Server"

    def answer(self) -> None:
        body = self._read_body()
        _asking.connection = self.connection
        try:
            with TURN:
                status, headers, content = self._run(body)
        except ClientGone:
            self.close_connection = True
            return
        self._write(status, headers, content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = answer

    def _run(self, body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        started: list[Any] = []
        try:
            parts = self.server.app(self._environ(body), lambda status, headers, exc=None: started.extend((status, headers)))
            return started[0], started[1], b"".join(parts)
        except ClientGone:
            raise
        except NotImplementedError as gap:
            # Not 500: clients repeat that for minutes.
            print(f"emulator: {self.command} {self.path}: {gap}", file=sys.stderr, flush=True)
            return "501 Not Implemented", [("Content-Type", "text/plain")], str(gap).encode()
        except Exception:
            print(f"emulator: {self.command} {self.path}\n{traceback.format_exc()}", file=sys.stderr, flush=True)
            return "500 Internal Server Error", [("Content-Type", "text/plain")], b"the emulator failed; its log says why"

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return b"".join(chunks)

    def _environ(self, body: bytes) -> dict[str, Any]:
        url = urlsplit(self.path)
        host, port = self.server.server_address[:2]
        environ: dict[str, Any] = {
            "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
            "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
            "REQUEST_METHOD": self.command, "SCRIPT_NAME": "", "PATH_INFO": unquote(url.path, "latin-1"), "QUERY_STRING": url.query,
            "REQUEST_URI": self.path, "RAW_URI": self.path, "REMOTE_ADDR": self.client_address[0],
            "SERVER_NAME": host, "SERVER_PORT": str(port), "SERVER_PROTOCOL": self.request_version,
        }  # fmt: skip
        for key, value in self.headers.items():
            key = key.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return environ

    def _write(self, status: str, headers: list[tuple[str, str]], content: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        for key, value in headers:
            if key.lower() not in ("content-length", "connection", "date"):
                self.send_header(key, value)
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            pass  # hung up between or during requests

    def log_message(self, format: str, *args: Any) -> None:
        pass  # a line for each request helps nobody; faults are printed where they are caught


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    app: Any

    def __init__(self, host: str, port: int, inherited: int | None) -> None:
        super().__init__((host, port), Handler, bind_and_activate=inherited is None)
        if inherited is not None:
            self.socket.close()
            self.socket = socket.socket(fileno=inherited)
            self.server_address = self.socket.getsockname()

    def serve(self, app: Any) -> None:
        self.app = app
        host, port = self.server_address[:2]
        print(f"listening on http://{host}:{port}", flush=True)
        self.serve_forever()


def now() -> float:
    """Seconds on a clock that never goes back, for waits."""
    return time.monotonic()
