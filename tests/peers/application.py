"""The applications behind the proxy: plain HTTP, a WebSocket echo, a gRPC service."""

import json
import logging
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import grpc
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

# A visitor who is gone is no error here.
logging.getLogger("websockets").setLevel(logging.CRITICAL)
# Seconds after which an application lets go of a client that says nothing.
PATIENCE_SECONDS = 60


class Handler(BaseHTTPRequestHandler):
    """What is asked for by path; `/claims/…` and all else is a short page."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_SECONDS
    disable_nagle_algorithm = True

    def log_message(self, *_):
        """Says nothing."""

    def do_GET(self):
        """A page, a big one, the fields that arrived, or events."""
        split = urlsplit(self.path)
        query = parse_qs(split.query)
        if split.path == "/events":
            return self.events(int(query.get("count", ["3"])[0]), float(query.get("every", ["0.05"])[0]))
        if split.path == "/fields":
            fields = [[name.lower(), value] for name, value in self.headers.items()]
            return self.answer(json.dumps({"path": self.path, "fields": fields}).encode(), "application/json")
        if split.path == "/big":
            return self.answer(b"0123456789abcdef" * (int(query["bytes"][0]) // 16))
        if split.path == "/trailers":
            return self.trailers()
        return self.answer(f"{self.command} {split.path}\n".encode())

    do_HEAD = do_DELETE = do_GET

    def do_POST(self):
        """What was sent, back."""
        kind = self.headers.get("content-type", "text/plain")
        # A browser would save a form to a file instead of showing it.
        self.answer(self.body(), "text/plain" if kind.startswith("application/x-www-form") else kind)

    do_PUT = do_POST

    def body(self):
        """The request's body, whole."""
        if self.headers.get("transfer-encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def answer(self, body, kind="text/plain"):
        """One answer with a length."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunk(self, data):
        """One chunk; an empty one is the last."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def events(self, count, every):
        """Server-sent events; `count` 0 means until the client is gone."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        number = 0
        try:
            while count == 0 or number < count:
                number += 1
                self.chunk(f"id: {number}\ndata: event {number}\n\n".encode())
                time.sleep(every)
            self.chunk(b"")
        except OSError:
            self.close_connection = True

    def trailers(self):
        """An answer with a trailer section."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Trailer", "x-digest")
        self.end_headers()
        self.chunk(b"hello")
        self.wfile.write(b"0\r\nx-digest: of-hello\r\n\r\n")


class Web(ThreadingHTTPServer):
    """The plain application."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """A client that is gone is no error."""

    @property
    def address(self):
        """Where it listens."""
        return f"127.0.0.1:{self.server_address[1]}"

    def end(self):
        """Stops it."""
        self.shutdown()
        self.server_close()


class Chat:
    """A WebSocket application that says everything back; `close N` makes it close with code N."""

    def __init__(self):
        self.closed_with = []
        self.paths = []
        self.server = serve(
            self.converse, "127.0.0.1", 0, max_size=4 << 20,
            select_subprotocol=lambda _, offered: "echo.v2" if "echo.v2" in offered else None,
        )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def converse(self, socket):
        """One visitor."""
        self.paths.append(socket.request.path)
        try:
            for message in socket:
                if isinstance(message, str) and message.startswith("close "):
                    socket.close(int(message.split()[1]), "as asked")
                    return
                socket.send(message)
        except ConnectionClosed:
            pass
        finally:
            self.closed_with.append(socket.close_code)

    @property
    def address(self):
        """Where it listens."""
        return f"127.0.0.1:{self.server.socket.getsockname()[1]}"

    def end(self):
        """Stops it."""
        self.server.shutdown()


SERVICE = "peers.Greeter"


class Greeter:
    """A gRPC application without generated code: messages are bytes."""

    def __init__(self, port=0, workers=32):
        handlers = {
            "Say": grpc.unary_unary_rpc_method_handler(self.say),
            "Count": grpc.unary_stream_rpc_method_handler(self.count),
            "Sum": grpc.stream_unary_rpc_method_handler(self.sum),
            "Echo": grpc.stream_stream_rpc_method_handler(self.echo),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Hang": grpc.unary_unary_rpc_method_handler(self.hang),
        }
        self.cancelled = threading.Event()
        self.seen = {}
        options = [("grpc.max_receive_message_length", 16 << 20), ("grpc.so_reuseport", 0)]
        self.server = grpc.server(futures.ThreadPoolExecutor(workers), options=options)
        generic = grpc.method_handlers_generic_handler(SERVICE, handlers)
        self.server.add_generic_rpc_handlers((generic,))
        self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        self.server.start()

    def say(self, message, context):
        """Says it back, with metadata at both ends."""
        self.seen = dict(context.invocation_metadata())
        context.send_initial_metadata((("x-first", "1"),))
        context.set_trailing_metadata((("x-last", "2"), ("x-last-bin", b"\x00\xff")))
        return message

    def count(self, message, context):
        """As many messages as asked for."""
        for number in range(int(message)):
            if not context.is_active():
                return
            yield str(number).encode()

    def sum(self, messages, _):
        """The sum of all that was sent."""
        return str(sum(int(message) for message in messages)).encode()

    def echo(self, messages, _):
        """Each back as it comes."""
        yield from messages

    def fail(self, message, context):
        """Fails as asked."""
        context.set_trailing_metadata((("x-why", "asked"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, message.decode())

    def hang(self, _, context):
        """Waits until the client has enough."""
        gone = threading.Event()
        context.add_callback(gone.set)
        gone.wait(PATIENCE_SECONDS)
        self.cancelled.set()
        return b""

    @property
    def address(self):
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def end(self):
        """Stops it."""
        self.server.stop(0).wait()
