"""The power goes, at any moment: what was acknowledged is there, and nothing goes out twice.

The built binary runs with a small library between it and the disk, which notes what is asked. After
a SIGKILL the store is rebuilt as disks may hold it then, and the binary is started on each.
"""

import contextlib
import random
import secrets
import shutil
import sqlite3
import threading
# How http.client tells of a connection that ended.
from http.client import HTTPException as Broken
from pathlib import Path

import pytest

from conftest import BINARY
from disk import HEAD, Disk, hear, library, read
from node import Node
from stage import wait_for
from wire import multipart

SENDERS, FORMS = 6, 8
# Moments at which the power goes, looked at in the database; and disks that the binary is started on.
MOMENTS, TORN_DISKS = 60, 2
# Of one write of the store: a page of the database, in the log with what stands before it.
WRITE_BYTES_MAX = 8 * 1024 + 24
CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"

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


def storm(node, notes, kept, stop):
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
            hear(notes, f"kept {receipt.rsplit('/', 1)[1]}")
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
    # Where `start` puts its first node.
    folder = tmp_path / "node-0"
    variables = {
        "LD_PRELOAD": library(tmp_path),
        "INTERMISSION_TEST_DISK_OF": folder / "store",
        "INTERMISSION_TEST_DISK_NOTES": notes,
    }
    node = start(variables=variables, **wanted)
    assert node.folder == folder
    return node, notes


def on_another_disk(store, app):
    """The same binary, started on a rebuilt store."""
    folder = store.parent / f"{store.name}-node"
    folder.mkdir()
    shutil.move(store, folder / "store")
    copy = folder / "copy"
    shutil.copytree(folder / "store", copy)
    assert missing_from(copy, []) == []
    return Node(BINARY, folder, app.port)


def lost_on(store, kept, app):
    """Who of those that have a receipt does not find it there; fails on one that goes twice."""
    sent = b"\n".join(app.posts())
    again = on_another_disk(store, app)
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


class Cut:
    """A node that was killed at a moment of the dice, and all that was seen of it."""

    def __init__(self, start, app, tmp_path, seed, **wanted):
        self.dice, self.kept = random.Random(seed), []
        self.node, notes = recorded(start, tmp_path, **wanted)
        app.answer = self.noting(notes)
        self.node.close()
        self.run(notes, app, sends=seed % 2)
        self.notes = list(read(notes))
        self.disk = Disk(self.node.store, self.notes)
        whole = tmp_path / "whole"
        self.disk.write_to(whole, everything=True)
        passed_by = [path.name for path in whole.iterdir() if not is_noted(path, self.node.store / path.name)]
        assert passed_by == [], "something was asked of the disk that the library did not note"

    def noting(self, notes):
        """An application that tells what reaches it, in its place among what the disk is asked."""

        def answer(request):
            one = next((one for one in self.kept if one.mark.encode() in request.body), None)
            if one:
                hear(notes, f"arrived {one.receipt.rsplit('/', 1)[1]}")
            return 303, {"location": "/thanks"}, b""

        return answer

    def run(self, notes, app, sends):
        """Until the kill: among captures, or among presses of Send."""
        stop = threading.Event()
        threads = storm(self.node, notes, self.kept, stop)
        enough = self.dice.randrange(SENDERS * 2, SENDERS * FORMS - SENDERS)
        wait_for(lambda: len(self.kept) >= enough, "receipts")
        if sends:
            stop.set()
            finish(threads)
            self.node.reopen()
            threads = hurry(self.node, self.kept)
            wait_for(lambda: len(app.posts()) >= 3, "sends")
        self.node.kill()
        stop.set()
        finish(threads)

    def moments(self, many):
        """Where among the notes the power goes: half anywhere, half while a sync is under way."""
        begun = [at for at, note in enumerate(self.notes) if note[0] == "B"]
        anywhere = self.dice.sample(range(len(self.notes)), many // 2)
        return sorted({*anywhere, *(at + 1 for at in self.dice.sample(begun, min(len(begun), many // 2)))})


def is_noted(told, found):
    """Whether the notes account for a file; the kill may have come between one call and its note."""
    told, found = told.read_bytes(), found.read_bytes()
    if told.startswith(found):
        # Cut to its length by a call that was not noted any more, or the same.
        return True
    longer = max(len(told), len(found))
    told, found = told.ljust(longer, b"\0"), found.ljust(longer, b"\0")
    differ = [at for at in range(0, longer, 8) if told[at:at + 8] != found[at:at + 8]]
    return not differ or differ[-1] - differ[0] <= WRITE_BYTES_MAX


def finish(threads):
    """Waits for everybody."""
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a visitor still waits"


def number(receipt_id):
    """The bytes of an id, as the database has them."""
    whole = 0
    for letter in receipt_id:
        whole = whole << 5 | CROCKFORD.index(letter)
    return whole.to_bytes(20, "big")


def missing_from(folder, heard):
    """What was heard of and is not on a disk as it should be; fails on a database that is damaged."""
    if not (folder / "intermission.db").exists():
        return list(heard)
    missing = []
    with contextlib.closing(sqlite3.connect(folder / "intermission.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'submissions'").fetchall():
            return list(heard)
        for words in heard:
            what, receipt = words.split()
            found = database.execute(
                "SELECT state, frames, (SELECT count(*) FROM frames WHERE submission = id)"
                " FROM submissions WHERE id = ?", [number(receipt)]
            ).fetchone()
            if found is None or found[1] != found[2]:
                missing.append(f"{words}: {found}")
            elif what == "arrived" and found[0] in ("held", "armed"):
                # It would be offered again as if it had not.
                missing.append(f"{words}: {found}")
    return missing


@pytest.mark.parametrize("kind", ["captures", "sends"])
def test_at_no_moment_does_a_power_cut_lose_what_was_acknowledged(start, app, tmp_path, kind):
    """Any prefix of what the disk was asked, with nothing or some of what was not synced by then."""
    cut = Cut(start, app, tmp_path, ["captures", "sends"].index(kind))
    disk, at, looked, torn = Disk(cut.node.store), 0, 0, 0
    for moment in cut.moments(MOMENTS):
        for note in cut.notes[at:moment]:
            disk.take(note)
        at = moment
        for dice in (None, random.Random(moment)):
            folder = tmp_path / f"at-{moment}-{dice is not None}"
            disk.write_to(folder, dice)
            assert missing_from(folder, disk.heard) == [], f"after {moment} notes, {disk.unsynced()} bytes not synced"
            looked += bool(disk.heard)
            torn += dice is not None and disk.unsynced() > 1_000
            shutil.rmtree(folder)
    print(f"{len(cut.notes)} notes, {looked} looks, {torn} of them at torn writes, {len(disk.heard)} words heard, none missing")
    assert looked > MOMENTS / 2 and torn > 5 and disk.syncs > 3, "this proves little"


@pytest.mark.parametrize("seed", range(2))
def test_the_binary_starts_on_what_a_power_cut_leaves_and_shows_every_receipt(start, app, tmp_path, seed):
    cut = Cut(start, app, tmp_path, seed)
    stores = [tmp_path / "dropped"]
    cut.disk.write_to(stores[0])
    for torn in range(TORN_DISKS):
        stores.append(tmp_path / f"torn-{torn}")
        cut.disk.write_to(stores[-1], random.Random(seed * 100 + torn))
    for store in stores:
        assert lost_on(store, cut.kept, app) == [], store.name


def without_sync_at_commit(binary, to):
    """The same binary but for one word: `synchronous` is TRUE, which is NORMAL, instead of FULL.

    The binary has no switch for it, and should have none.
    """
    said, instead = b"PRAGMA synchronous = FULL", b"PRAGMA synchronous = TRUE"
    content = binary.read_bytes()
    assert said in content, "the binary does not say FULL"
    content = content.replace(said, instead)
    to.write_bytes(content)
    to.chmod(0o700)
    return str(to)


def test_the_same_cut_would_lose_them_were_commits_not_synced(start, app, tmp_path):
    """The control: with `synchronous=NORMAL` the same looks find losses."""
    binary = without_sync_at_commit(Path(BINARY), tmp_path / "careless")
    cut = Cut(start, app, tmp_path, 0, binary=binary)
    cut.disk.write_to(tmp_path / "looked-at")
    missing = missing_from(tmp_path / "looked-at", cut.disk.heard)
    cut.disk.write_to(tmp_path / "dropped")
    lost = lost_on(tmp_path / "dropped", cut.kept, app)
    print(f"{len(cut.kept)} receipts, {cut.disk.syncs} syncs, {len(lost)} lost")
    for found in (missing, lost):
        assert len(found) > len(cut.kept) / 2, f"{len(found)} of {len(cut.kept)}: the look cannot see a loss"


def test_the_disk_keeps_what_was_synced_and_nothing_else(tmp_path):
    """The control of the disk itself, on notes made by hand."""

    def noted(*notes):
        file = tmp_path / secrets.token_hex(4)
        pieces = [HEAD.pack(what.encode(), len(path), len(data), at) + path.encode() + data for what, path, at, data in notes]
        file.write_bytes(b"".join(pieces) + b"W\x05")
        return Disk("/d", read(file))

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


def test_what_the_library_did_not_note_is_seen(tmp_path):
    """The control of the look at the notes: one write may be missing, two apart may not."""
    told, found = tmp_path / "told", tmp_path / "found"
    told.write_bytes(bytes(100_000))
    for content, noted in [
        (bytes(100_000), True),
        (bytes(50_000), True),
        (bytes(40_000) + b"x" * 8_000 + bytes(52_000), True),
        (b"x" + bytes(98_000) + b"x" * 1_999, False),
        (bytes(100_000) + b"x" * 20_000, False),
    ]:
        found.write_bytes(content)
        assert is_noted(told, found) == noted
