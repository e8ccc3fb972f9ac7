"""The power goes, at any moment: what was acknowledged is there, and nothing goes out twice.

The built binary runs with a small library between it and the disk, which notes what is asked. After
a SIGKILL the store is rebuilt as disks may hold it then, and the binary is started on each.
"""

import random
import re
import secrets
import shutil
import sqlite3
import threading
# How http.client tells of a connection that ended.
from http.client import HTTPException as Broken
from pathlib import Path

import pytest

from conftest import BINARY
from disk import HEAD, Disk, library
from node import Node
from stage import wait_for
from wire import multipart

ROUNDS, SENDERS, FORMS, TORN_DISKS = 3, 6, 8, 4

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="cc, which builds the library, is not here")


class Kept:
    """What a visitor was told."""

    def __init__(self, visitor, receipt, mark):
        self.visitor, self.receipt, self.mark, self.accepted = visitor, receipt, mark, False


def body(mark, at):
    """A small form, or one of several frames."""
    if at % 4:
        return {"body": [("story", f"{mark} {'wave ' * 200}")]}
    parts = [("story", None, mark.encode()), ("paper", "paper.bin", secrets.token_bytes(200_000))]
    content, kind = multipart(parts)
    return {"body": content, "kind": kind}


def storm(node, kept, stop):
    """Visitors who send forms until told to stop or the proxy is gone."""

    def send(seed):
        visitor = node.visitor()
        for at in range(FORMS):
            if stop.is_set():
                return
            mark = f"mark-{seed}-{at}-{secrets.token_hex(6)}"
            try:
                receipt = visitor.keep("/claims", **body(mark, at))
            except (OSError, Broken):
                return
            kept.append(Kept(visitor, receipt, mark))

    return started(send, range(SENDERS))


def started(what, each):
    """A thread for each."""
    threads = [threading.Thread(target=what, args=(one,)) for one in each]
    for thread in threads:
        thread.start()
    return threads


def hurry(node, kept):
    """Their owners press Send, all at once, until the proxy is gone."""

    def press(one):
        try:
            answer = one.visitor.press(one.receipt)
        except (OSError, Broken, AssertionError):
            return
        one.accepted = answer.field("location") == "/thanks"

    return started(press, kept[:: max(1, len(kept) // 12)])


def recorded(start, tmp_path, **wanted):
    """A node whose disk is watched, and where the notes are."""
    notes = tmp_path / f"notes-{secrets.token_hex(4)}"
    node = None
    folder = tmp_path / "node-0"
    variables = {
        "LD_PRELOAD": library(tmp_path),
        "INTERMISSION_TEST_DISK_OF": folder / "store",
        "INTERMISSION_TEST_DISK_NOTES": notes,
    }
    node = start(variables=variables, **wanted)
    assert node.folder == folder
    return node, notes


def on_another_disk(node, store, app):
    """The same binary, started on a rebuilt store."""
    folder = store.parent / f"{store.name}-node"
    folder.mkdir()
    shutil.move(store, folder / "store")
    database = folder / "store" / "intermission.db"
    copy = folder / "copy"
    shutil.copytree(folder / "store", copy)
    with sqlite3.connect(copy / "intermission.db") as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)], database
    opened.close()
    return Node(BINARY, folder, app.port)


def lost_on(node, store, kept, app):
    """Who of those that have a receipt does not find it there; fails on one that goes twice."""
    sent = b"\n".join(app.posts())
    again = on_another_disk(node, store, app)
    lost = []
    try:
        for one in kept:
            one.visitor.port = again.port
            page = one.visitor.get(one.receipt)
            if page.status != 200 or one.mark not in page.text:
                lost.append((one.mark, page.status, page.state))
                continue
            arrived = one.mark.encode() in sent
            # Whatever reached the application is not offered as if it had not.
            if arrived:
                assert page.state in ("unknown", "accepted"), (one.mark, page.state)
            if one.accepted:
                assert arrived, one.mark
    finally:
        again.kill()
    return lost


def cut_off(start, app, tmp_path, seed, **wanted):
    """Kills a busy node at a moment of the dice; gives the kept and the disk."""
    dice = random.Random(seed)
    node, notes = recorded(start, tmp_path, **wanted)
    node.close()
    kept, stop = [], threading.Event()
    threads = storm(node, kept, stop)
    enough = dice.randrange(SENDERS * 2, SENDERS * FORMS - SENDERS)
    wait_for(lambda: len(kept) >= enough, "receipts")
    if seed % 2:
        # Killed among presses of Send instead of among captures.
        stop.set()
        for thread in threads:
            thread.join(30)
        node.reopen()
        threads = hurry(node, kept)
        least = len(app.posts()) + 3
        wait_for(lambda: len(app.posts()) >= least, "sends")
    node.kill()
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    disk = Disk(notes, node.store)
    whole = tmp_path / "whole"
    disk.write_to(whole, everything=True)
    for path in whole.iterdir():
        assert path.read_bytes() == (node.store / path.name).read_bytes(), f"{path.name}: the library was passed by"
    return node, kept, disk


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_acknowledged_submission_is_lost_when_the_power_goes(start, app, tmp_path, seed):
    node, kept, disk = cut_off(start, app, tmp_path, seed)
    assert len(kept) >= SENDERS * 2 and disk.syncs > 3
    stores = [tmp_path / "dropped"]
    disk.write_to(stores[0])
    for torn in range(TORN_DISKS):
        stores.append(tmp_path / f"torn-{torn}")
        disk.write_to(stores[-1], random.Random(seed * 100 + torn))
    unsynced = disk.unsynced()
    for store in stores:
        assert lost_on(node, store, kept, app) == [], f"{store.name}, {unsynced} bytes were not synced"
    print(f"{len(kept)} receipts, {disk.syncs} syncs, {unsynced} bytes not synced, none lost")


def without_sync_at_commit(binary, to):
    """The same binary but for one word: `synchronous` is TRUE, which is NORMAL, instead of FULL.

    The binary has no switch for it, and should have none. The other FULL is in SQLite's keywords.
    """
    content = bytearray(binary.read_bytes())
    places = [found.start() for found in re.finditer(b"FULL(?!LIMIT)", content)]
    assert len(places) == 1, f"FULL stands at {places}"
    content[places[0]:places[0] + 4] = b"TRUE"
    to.write_bytes(content)
    to.chmod(0o700)
    return str(to)


def test_the_same_cut_would_lose_them_were_commits_not_synced(start, app, tmp_path):
    """The control: with `synchronous=NORMAL` the same look at the same moments finds losses."""
    binary = without_sync_at_commit(Path(BINARY), tmp_path / "careless")
    node, kept, disk = cut_off(start, app, tmp_path, 0, binary=binary)
    disk.write_to(tmp_path / "dropped")
    lost = lost_on(node, tmp_path / "dropped", kept, app)
    print(f"{len(kept)} receipts, {disk.syncs} syncs, {len(lost)} lost")
    assert len(lost) > len(kept) / 2, f"{len(lost)} of {len(kept)}: the check cannot see a loss"


def test_the_disk_keeps_what_was_synced_and_nothing_else(tmp_path):
    """The control of the disk itself, on notes made by hand."""

    def noted(*notes):
        file = tmp_path / secrets.token_hex(4)
        pieces = [HEAD.pack(what.encode(), len(path), len(data), at) + path.encode() + data for what, path, at, data in notes]
        file.write_bytes(b"".join(pieces) + b"W\x05")
        return Disk(file, "/d")

    begin = [("O", "/d/a", 0, b""), ("B", "/d", 0, b""), ("E", "/d", 0, b"")]
    written = [("W", "/d/a", 0, b"one"), ("B", "/d/a", 0, b""), ("W", "/d/a", 3, b"two"), ("E", "/d/a", 0, b"")]
    disk = noted(*begin, *written, ("O", "/d/b", 0, b""))
    assert disk.sure_names["a"].content(None) == b"onetwo" and bytes(disk.sure_names["a"].sure) == b"one"
    assert disk.unsynced() == 3 and set(disk.sure_names) == {"a"} and set(disk.names) == {"a", "b"}
    moved = noted(*begin, *written, ("R", "/d/a", 0, b"/d/c"), ("T", "/d/c", 1, b""))
    assert set(moved.sure_names) == {"a"} and moved.names["c"].content(None) == b"o"
    torn = {noted(*begin, ("W", "/d/a", 500, b"x" * 24)).names["a"].content(random.Random(n)) for n in range(40)}
    halves = [b"", bytes(500) + b"x" * 12, bytes(512) + b"x" * 12, bytes(500) + b"x" * 24]
    assert torn == set(halves), "a write is torn at the sector"
