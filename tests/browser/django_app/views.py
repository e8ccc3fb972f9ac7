"""A form with a file, and what arrived through it."""

import hashlib
import json

from django.conf import settings
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.utils.html import escape

ARRIVED = settings.FOLDER / "papers.jsonl"


def papers(request):
    """Shows the form; takes a paper and notes its hash."""
    if request.method == "POST":
        paper = request.FILES.get("paper")
        arrived = {
            "note": request.POST["note"],
            "name": paper.name if paper else None,
            "sha256": hashlib.sha256(paper.read()).hexdigest() if paper else None,
        }
        with ARRIVED.open("a") as file:
            file.write(json.dumps(arrived) + "\n")
        return redirect("/papers/")
    lines = ARRIVED.read_text().splitlines() if ARRIVED.exists() else []
    return HttpResponse(
        "<!doctype html><title>Papers</title><h1>Papers</h1>"
        "<form method=post enctype=multipart/form-data>"
        f"<input type=hidden name=csrfmiddlewaretoken value={get_token(request)}>"
        "<label>Note <textarea name=note></textarea></label>"
        "<label>Paper <input type=file name=paper></label>"
        "<button id=send>Send</button></form>"
        "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
    )
