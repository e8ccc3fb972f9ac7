"""The built binary before one application, with everything that it writes in one folder."""

import hashlib

from stage import Proxy

from wire import Visitor

ROUTE = """
[[route]]
name = "forms"
title = "Forms"
hosts = ["*"]
paths = ["/*"]
upstream = "app"
[route.forms]
resume = "{resume}"
"""


class Node(Proxy):
    """A proxy whose one route keeps forms. `resume`, `routes`, `log`: where a test differs."""

    def __init__(self, binary, folder, upstream_port, resume="replay", routes=None, **more):
        self.routes = ROUTE.format(resume=resume) if routes is None else routes
        self.variables, self.more = more.get("variables", {}), more
        super().__init__(binary, folder, upstream_port)

    def written(self, upstream_port):
        return f"""
[node]
name = "promise-test"
region = "eu"
workers = {self.more.get("workers", 2)}
[listen]
http = ["127.0.0.1:{self.port}"]
[limits]
connections_per_address = 5000
[admin]
listen = "127.0.0.1:{self.admin_port}"
[[admin.token]]
name = "tester"
sha256 = "{hashlib.sha256(self.token.encode()).hexdigest()}"
[store]
directory = "{self.store}"
[log]
access = "{self.folder / "access.log"}"
[[region]]
name = "eu"
{self.more.get("regions", "")}
[[upstream]]
name = "app"
servers = ["127.0.0.1:{upstream_port}"]
{self.routes}
"""

    @property
    def store(self):
        """The directory of the store."""
        return self.folder / "store"

    def start(self):
        self.environment |= {name: str(value) for name, value in self.variables.items()}
        super().start()

    def visitor(self):
        """A new browser."""
        return Visitor(self.port)

    def close(self, route="forms", back_in="15m", reason="a test", region="eu"):
        """Closes a route, without the price of a command's start."""
        order = {"routes": [route], "regions": [region], "reason": reason, "back_in": back_in}
        return self.asks("/api/v1/switches", order)

    def reopen(self, route="forms", region="eu"):
        """Reopens it."""
        order = {"routes": [route], "regions": [region], "reason": "a test"}
        return self.asks("/api/v1/switches/off", order)

    def kill_and_start(self):
        """SIGKILL, then a start on the same store."""
        self.kill()
        self.start()
