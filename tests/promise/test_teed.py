"""Forms that are on their way to the application when something dies: `forms.tee`."""

import random
import secrets
import threading
# How http.client tells of a connection that ended.
from http.client import HTTPException as Broken

from canary import sightings
from node import ROUTE
from stage import wait_for
from test_canaries import on_disk

TEED = ROUTE.format(resume="replay") + "tee = true\n"
VISITORS, FORMS, ROUNDS = 6, 6, 4


def seen_on_disk(node, words):
    """Where these words are to be read on disk."""
    found = {path: sightings(words, content) for path, content in on_disk(node.folder).items()}
    return {path: words for path, words in found.items() if words}


def test_a_form_on_its_way_is_nowhere_on_disk_when_the_proxy_is_killed(start, app):
    """Nothing was promised for it, and nothing is left of it; what was promised before is there."""
    node = start(routes=TEED)
    words = {"before": f"Kanarie{secrets.token_hex(12)}", "under way": f"Kanarie{secrets.token_hex(12)}"}
    visitor, other = node.visitor(), node.visitor()
    node.close()
    receipt = visitor.keep("/claims", [("story", words["before"])])
    node.reopen()
    arrived, over = threading.Event(), threading.Event()

    def stall(request):
        arrived.set()
        over.wait(30)

    app.answer = stall
    broken = []

    def send():
        try:
            broken.append(other.post("/claims", [("story", words["under way"])]))
        except (OSError, Broken) as error:
            broken.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    assert arrived.wait(30), "the form never reached the application"
    assert seen_on_disk(node, words) == {}, "while the answer may still come"
    node.kill()
    over.set()
    thread.join(30)
    assert isinstance(broken[0], (OSError, Broken)), broken
    assert seen_on_disk(node, words) == {}
    node.start()
    assert seen_on_disk(node, words) == {}
    assert other.saved() == [], "nothing was promised"
    assert words["before"] in visitor.get(receipt).text
    # The control: what is looked for is found where it is.
    (node.folder / "control").write_text(f"story={words['under way']}")
    assert list(seen_on_disk(node, words)) == [str(node.folder / "control")]


def test_what_was_caught_is_there_after_a_kill_at_any_moment(start, app):
    """The application fails each form; whoever saw a receipt finds the form behind it, in doubt."""
    node = start(routes=TEED)
    app.answer = lambda request: None
    dice, kept, words = random.Random(7), [], {}

    def send(node, seed):
        visitor = node.visitor()
        for at in range(FORMS):
            mark = f"Kanarie{seed}x{at}x{secrets.token_hex(10)}"
            words[mark] = mark
            # Sealed in one frame, or in several.
            story = f"{mark} {'wave ' * (40 if at % 3 else 30_000)}"
            try:
                receipt = visitor.keep("/claims", [("story", story)])
            except (OSError, Broken):
                return
            kept.append((visitor, receipt, mark))

    for number in range(ROUNDS):
        before, enough = len(kept), dice.randrange(3, VISITORS * FORMS // 2)
        senders = [threading.Thread(target=send, args=(node, number * 100 + one)) for one in range(VISITORS)]
        for sender in senders:
            sender.start()
        wait_for(lambda: len(kept) >= before + enough, "receipts")
        node.kill()
        for sender in senders:
            sender.join(30)
            assert not sender.is_alive(), "a visitor still waits"
        assert seen_on_disk(node, words) == {}
        node.start()
    posts = app.posts()
    for visitor, receipt, mark in kept:
        page = visitor.get(receipt)
        assert (page.status, page.state) == (200, "unknown"), (mark, page)
        assert mark in page.text, mark
        assert sum(mark.encode() in post for post in posts) == 1, f"{mark} went out again by itself"
    assert len(kept) >= ROUNDS * 3, "this proves little"
