"""An application that notes every request that reaches it, and answers as a test wants."""

import http.server
import threading


class Request:
    """One request as it arrived."""

    def __init__(self, handler, body):
        self.method, self.target, self.body = handler.command, handler.path, body
        self.fields = {name.lower(): value for name, value in handler.headers.items()}


class Application:
    """Listens on a port of its own until it is stopped."""

    def __init__(self, answer=None):
        """`answer`: what a request is answered with, as (status, fields, body); none ends the connection."""
        self.arrived = []
        self.answer = answer or (lambda request: (303, {"location": "/thanks"}, b"") if request.method == "POST" else (200, {}, b"a page"))
        application, lock = self, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_request(self):
                request = Request(self, read_body(self))
                with lock:
                    application.arrived.append(request)
                answered = application.answer(request)
                if answered is None:
                    self.close_connection = True
                    return
                status, fields, body = answered
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_HEAD = do_PUT = handle_request

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            # Two hundred visitors may be sent on at once.
            request_queue_size = 512

            def handle_error(self, *_):
                """A proxy that is killed breaks its connections; that is what is tested."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def posts(self):
        """The bodies that were posted, in order."""
        return [request.body for request in self.arrived if request.method == "POST"]

    def stop(self):
        """Stops listening."""
        self.server.shutdown()
        self.server.server_close()


def read_body(handler):
    """The whole body of a request, with a length or in chunks."""
    if "chunked" in handler.headers.get("transfer-encoding", ""):
        pieces = []
        while size := int(handler.rfile.readline().split(b";")[0] or b"0", 16):
            pieces.append(handler.rfile.read(size))
            handler.rfile.readline()
        handler.rfile.readline()
        return b"".join(pieces)
    length = int(handler.headers.get("content-length") or 0)
    body = handler.rfile.read(length)
    if len(body) < length:
        raise ConnectionError("half a body")
    return body
