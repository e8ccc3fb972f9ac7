"""Two hundred visitors keep and send at once while the proxy is killed again and again."""

import os
import random
import re
import secrets
import threading
import time
from collections import Counter
from http.client import HTTPException as Broken

import pytest

from account import Account
from stage import wait_for

# `INTERMISSION_VISITORS` asks for more or fewer.
VISITORS = int(os.environ.get("INTERMISSION_VISITORS", 200))
KILLS_WHILE_KEEPING, KILLS_WHILE_SENDING = 3, 4
# Of the whole test; it takes a third of that where nobody else uses the machine.
PATIENCE_SECONDS = 150
# Between two tries of a visitor whose proxy is gone.
PAUSE_SECONDS = 0.3
# How often one who has sent looks whether it has arrived, before giving up.
LOOKS = 8
MARK = re.compile(r"mark-(\d+)-[0-9a-f]{8}")


def owner_of(mark):
    """Whose form carries a mark."""
    return MARK.fullmatch(mark)[1]


class Person:
    """A visitor with a name that the application knows by cookie, and one form."""

    def __init__(self, node, number, account):
        self.browser, self.account, self.name = node.visitor(), account, str(number)
        self.browser.cookies["who"] = self.name
        self.mark = f"mark-{number}-{secrets.token_hex(4)}"
        self.receipt, self.broken, self.dice = None, 0, random.Random(number)

    def enter(self, kind, mark=None):
        """Enters what happened to this visitor's form."""
        self.account.enter(kind, mark or self.mark, self.name)

    def keep(self, until):
        """Sends the form to the closed place until a receipt is seen."""
        filler = "wave " * self.dice.randrange(1, 400)
        while not self.receipt and time.monotonic() < until:
            try:
                self.receipt = self.browser.keep("/claims", [("story", f"{self.mark} {filler}")])
                self.enter("receipt")
            except (OSError, Broken):
                self.broken += 1
                self.pause()

    def send(self, until):
        """Presses Send until something came of it, as far as the visitor can tell."""
        checked, looks = False, 0
        while time.monotonic() < until:
            try:
                state = self.browser.get(self.receipt).state
                if state == "unknown" and int(self.name) % 2 and not checked:
                    # Half of those in doubt say that they have looked, and that it is not there.
                    checked = True
                    self.enter("checked")
                    self.browser.press(self.receipt, checked=True)
                elif state == "held":
                    self.enter("pressed")
                    self.browser.press(self.receipt)
                elif state in ("armed", "sending") and looks < LOOKS:
                    # On its way, or its ticket was lost to a kill.
                    looks += 1
                    self.pause()
                else:
                    return
            except (OSError, Broken, AssertionError):
                # Gone, or the receipt has changed between two looks.
                self.pause()

    def look(self):
        """What the receipt tells in the end: every mark on it should be its owner's."""
        page = self.browser.get(self.receipt)
        assert page.status == 200, (self.mark, page)
        for mark in {found[0] for found in MARK.finditer(page.text)}:
            self.enter("shown", mark)
        self.enter(f"is:{page.state}")

    @staticmethod
    def pause():
        """Nothing tells a visitor that a proxy is back."""
        time.sleep(PAUSE_SECONDS)


def all_at_once(people, what, kill, kills, progress, dice):
    """Everybody does `what` at once, while the proxy is killed so often, each time in the middle."""
    threads = [threading.Thread(target=what, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for at in range(kills):
        enough = (at * VISITORS + dice.randrange(VISITORS)) // (kills + 1)
        wait_for(
            lambda: progress() >= enough or not any(thread.is_alive() for thread in threads),
            f"{enough} of {VISITORS}", PATIENCE_SECONDS,
        )
        kill()
    return threads


def finish(threads):
    """Waits for everybody."""
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "a visitor still waits"


def test_two_hundred_visitors_and_a_proxy_that_is_killed_again_and_again(start, app):
    dice, account = random.Random(7), Account()
    node = start(workers=2)
    app.answer = slowly(dice)
    node.close()
    until = time.monotonic() + PATIENCE_SECONDS
    people = [Person(node, number, account) for number in range(VISITORS)]

    def receipts():
        return sum(person.receipt is not None for person in people)

    kill = node.kill_and_start
    finish(all_at_once(people, lambda one: one.keep(until), kill, KILLS_WHILE_KEEPING, receipts, dice))
    assert all(person.receipt for person in people), "everybody has a receipt in the end"
    node.reopen()

    def sends():
        return len(app.arrived)

    threads = all_at_once(people, lambda one: one.send(until), kill, KILLS_WHILE_SENDING, sends, dice)
    finish(threads)
    node.kill_and_start()
    for person in people:
        person.look()
    for request in app.arrived:
        if request.method == "POST" and (found := MARK.search(request.body.decode())):
            who = re.search(r"who=(\d+)", request.fields.get("cookie", ""))
            account.enter("arrived", found[0], who and who[1])

    assert account.faults(owner_of) == []
    states, broken = account.states(), sum(person.broken for person in people)
    kinds = Counter(kind for kind, _, _ in account.entries)
    told = counted(node)
    print(f"{states}, {dict(kinds)}, {broken} broken tries; the store: {told}")
    assert sum(states.values()) == VISITORS
    # A quarter of them where nobody else uses the machine. On a slow one each kill meets more of
    # them on their way, and who has lost a ticket gives up.
    assert kinds["arrived"] >= VISITORS / 10, "too few were sent: this proves little"
    assert kinds["checked"] + states.get("unknown", 0), "no kill met a form on its way: this proves little"
    # What was committed for a try that broke before its 303 is there too, held, and nobody's.
    extra = {state: told.get(state, 0) - states.get(state, 0) for state in told.keys() | states.keys()}
    extra = {state: many for state, many in extra.items() if many}
    assert set(extra) <= {"held"} and 0 <= extra.get("held", 0) <= broken, (states, told, broken)


def slowly(dice):
    """An application that takes a moment, so that a kill finds some on their way."""

    def answer(request):
        if request.method == "POST":
            time.sleep(dice.uniform(0, 0.6))
        return 303, {"location": "/thanks"}, b""

    return answer


def counted(node):
    """The submissions in the store by state, as operators see them."""
    told = Counter()
    for heap in node.asks("/api/v1/submissions")["items"]:
        told[heap["state"]] += heap["count"]
    return told


SOUND = [("receipt", "mark-1-aaaaaaaa", "1"), ("pressed", "mark-1-aaaaaaaa", "1"),
         ("arrived", "mark-1-aaaaaaaa", "1"), ("shown", "mark-1-aaaaaaaa", "1"),
         ("is:accepted", "mark-1-aaaaaaaa", "1")]


@pytest.mark.parametrize(
    "fault, entries",
    [
        (None, SOUND),
        ("lost", SOUND[:3]),
        ("lost", SOUND[:1]),
        ("twice", [*SOUND, SOUND[2]]),
        (None, [*SOUND, SOUND[2], ("checked", "mark-1-aaaaaaaa", "1")]),
        ("unasked", [SOUND[0], *SOUND[2:]]),
        ("would go twice", [*SOUND[:4], ("is:held", "mark-1-aaaaaaaa", "1")]),
        ("lied", [*SOUND[:2], *SOUND[3:]]),
        ("stuck", [*SOUND[:4], ("is:sending", "mark-1-aaaaaaaa", "1")]),
        ("mixed", [*SOUND, ("shown", "mark-2-bbbbbbbb", "1")]),
        ("mixed", [*SOUND[:2], ("arrived", "mark-1-aaaaaaaa", "2"), *SOUND[2:]]),
    ],
)
def test_the_check_turns_red(fault, entries):
    """The control: a crowd with one fault in it does not pass."""
    account = Account()
    account.entries = list(entries)
    found = {found[0] for found in account.faults(owner_of)}
    assert (fault in found) if fault else found == set(), found


def test_an_application_that_got_a_form_twice_is_found_out(start, app):
    """The control over the real wire: two sends of one press, with another visitor's cookie."""
    account = Account()
    node = start()
    node.close()
    person = Person(node, 1, account)
    person.keep(time.monotonic() + 20)
    node.reopen()
    person.enter("pressed")
    person.browser.press(person.receipt)
    person.look()
    other = node.visitor()
    other.cookies["who"] = "2"
    other.post("/claims", [("story", f"{person.mark} again")])
    for request in app.arrived:
        if found := MARK.search(request.body.decode()):
            who = re.search(r"who=(\d+)", request.fields.get("cookie", ""))
            account.enter("arrived", found[0], who and who[1])
    assert {fault[0] for fault in account.faults(owner_of)} == {"mixed", "twice"}
