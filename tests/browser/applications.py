"""Applications that others wrote frameworks for, each as a process of its own."""

import json
import os
import shutil
import subprocess
import sys

from stage import HERE, answers, free_port, wait_for

NODE = os.environ.get("INTERMISSION_NODE") or shutil.which("node") or shutil.which("nodejs")


class Application:
    """A process that listens on a port, and the lines that it notes of what arrived."""

    # What it answers once it is up, and where it notes what arrived.
    path, notes = "/", "arrived.jsonl"

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.process = None
        self.start()

    def command(self):
        """What is run, and the variables it is run with."""
        raise NotImplementedError

    def start(self):
        """Starts it and waits until it answers."""
        command, variables = self.command()
        log = (self.folder / "application.log").open("a")
        environment = os.environ | variables
        self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

        def ready():
            assert self.process.poll() is None, (self.folder / "application.log").read_text()[-2000:]
            return answers(f"http://127.0.0.1:{self.port}{self.path}")

        wait_for(ready, f"{type(self).__name__} on its port")

    def stop(self):
        """Stops it."""
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)

    def restart(self):
        """What a deploy does during a window."""
        self.stop()
        self.start()

    def arrived(self):
        """What came through its form, in order."""
        notes = self.folder / self.notes
        return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


class Contact(Application):
    """Flask-WTF, whose tokens live for `seconds`."""

    path, notes = "/contact/", "contact.jsonl"

    def __init__(self, folder, seconds):
        self.seconds = seconds
        super().__init__(folder)

    def command(self):
        variables = {"FLASK_APP_FOLDER": str(self.folder), "FLASK_TOKEN_SECONDS": str(self.seconds)}
        return [sys.executable, str(HERE / "flask_app.py"), str(self.port)], variables


class Uploads(Application):
    """Express with multer."""

    path, notes = "/uploads/", "uploads.jsonl"

    def command(self):
        return [NODE, str(HERE / "upload_app.js"), str(self.port), str(self.folder)], {}


def routes(contact_port, uploads_port):
    """What a proxy's configuration needs to have both behind it, each on its own paths."""
    return f"""
[[upstream]]
name = "flask"
servers = ["127.0.0.1:{contact_port}"]
[[upstream]]
name = "express"
servers = ["127.0.0.1:{uploads_port}"]
[[route]]
name = "contact"
title = "Contact"
hosts = ["*"]
paths = ["/contact/*"]
upstream = "flask"
[route.forms]
resume = "replay"
[[route]]
name = "uploads"
title = "Uploads"
hosts = ["*"]
paths = ["/uploads/*"]
upstream = "express"
"""
