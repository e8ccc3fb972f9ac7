"""A Flask application whose form has a token of Flask-WTF that is old after a few seconds."""

import json
import os
import sys
from pathlib import Path

from flask import Flask, redirect, render_template_string
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField

ARRIVED = Path(os.environ["FLASK_APP_FOLDER"]) / "contact.jsonl"
PAGE = """<!doctype html><title>Contact</title><h1>{{ title }}</h1>
<form method=post>{{ form.hidden_tag() }}{{ form.name.label }} {{ form.name }}
{{ form.message.label }} {{ form.message }} <button id=send>Send</button></form>
{% for word in form.errors.values() %}<p>{{ word }}</p>{% endfor %}"""

app = Flask(__name__)
app.config["SECRET_KEY"] = "only for tests, on one machine, for a minute"
app.config["WTF_CSRF_TIME_LIMIT"] = int(os.environ["FLASK_TOKEN_SECONDS"])
# As `CSRFProtect` is used by most: what it refuses is a 400 that says why.
from flask_wtf.csrf import CSRFProtect  # noqa: E402

CSRFProtect(app)


class Contact(FlaskForm):
    """Who writes, and what."""

    name = StringField("Name")
    message = TextAreaField("Message")


@app.route("/contact/", methods=["GET", "POST"])
def contact():
    """Shows the form; notes what arrived through it."""
    form = Contact()
    if form.validate_on_submit():
        with ARRIVED.open("a") as file:
            file.write(json.dumps({"name": form.name.data, "message": form.message.data}) + "\n")
        return redirect("/contact/thanks")
    return render_template_string(PAGE, form=form, title="Contact us")


@app.route("/contact/thanks")
def thanks():
    """Where an accepted form leads."""
    return "<!doctype html><title>Thanks</title><h1>Thank you for writing</h1>"


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
