"""What a disk may hold after the power went: rebuilt from what a process asked of it.

The rules are those of POSIX, at their worst. What was written to a file is there for sure after a
sync of that file that began later. A name is there for sure after a sync of its directory. Of what
was asked since, anything may be there: nothing, all, or any sectors of it in any order.
"""

import struct
import subprocess
from pathlib import Path

HEAD = struct.Struct("<cIIQ")
SECTOR_BYTES = 512
SOURCE = Path(__file__).with_name("disk.c")
# Locks and shared memory mean nothing to the next process.
VOLATILE = ("lock", "-shm")


def library(folder, source=SOURCE):
    """Builds the library that is preloaded."""
    built = folder / "disk.so"
    flags = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, "-o", built, source, "-ldl", "-lpthread"], check=True, timeout=60)
    return built


class File:
    """One file: what is on the disk for sure, and what was asked of it since."""

    def __init__(self):
        self.sure, self.asked, self.begun = bytearray(), [], 0

    def sync_begins(self):
        self.begun = len(self.asked)

    def sync_ends(self):
        for ask in self.asked[: self.begun]:
            apply(self.sure, ask)
        del self.asked[: self.begun]
        self.begun = 0

    def content(self, dice=None):
        """With everything that was asked; or with what the dice leave of it, sector by sector."""
        content = bytearray(self.sure)
        for at, data in self.asked:
            if dice is None:
                apply(content, (at, data))
            elif data is None:
                if dice.random() < 0.5:
                    apply(content, (at, None))
            else:
                for start, piece in sectors(at, data):
                    if dice.random() < 0.5:
                        apply(content, (start, piece))
        return bytes(content)


def apply(content, ask):
    """Does to a file what was asked: bytes at a place, or another length."""
    at, data = ask
    end = at if data is None else at + len(data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if data is None:
        del content[at:]
    else:
        content[at:end] = data


def sectors(at, data):
    """A write in the pieces that a disk writes at once."""
    start = 0
    while start < len(data):
        size = SECTOR_BYTES - (at + start) % SECTOR_BYTES
        yield at + start, data[start:start + size]
        start += size


class Disk:
    """The directory as the notes tell it, up to any of them."""

    def __init__(self, directory, notes=()):
        self.directory = str(directory)
        # By name: as the process sees it, and as it is on the disk for sure.
        self.names, self.sure_names, self.pending_names = {}, {}, None
        self.syncs, self.heard = 0, []
        for note in notes:
            self.take(note)

    def take(self, note):
        """One more note."""
        what, path, at, data = note
        if what == "H":
            self.heard.append(data.decode())
            return
        if path == self.directory:
            if what == "B":
                self.pending_names = dict(self.names)
            elif what == "E" and self.pending_names is not None:
                self.sure_names = self.pending_names
            return
        name = path[len(self.directory) + 1:]
        if what == "R":
            self.names[data.decode()[len(self.directory) + 1:]] = self.names.pop(name)
        elif what == "U":
            self.names.pop(name, None)
        elif name not in self.names and what != "O":
            # Deleted while it was still open.
            return
        elif what == "O":
            file = self.names.setdefault(name, File())
            if at:
                file.asked.append((0, None))
        elif what == "W":
            self.names[name].asked.append((at, data))
        elif what == "T":
            self.names[name].asked.append((at, None))
        elif what == "B":
            self.names[name].sync_begins()
        elif what == "E":
            self.syncs += 1
            self.names[name].sync_ends()
        else:
            raise ValueError(what)

    def unsynced(self):
        """Bytes that were written and are not on the disk for sure."""
        return sum(len(data or b"") for file in self.names.values() for _, data in file.asked)

    def write_to(self, folder, dice=None, everything=False):
        """Leaves in `folder` what a power cut leaves: what is sure, and what the dice add to it."""
        folder.mkdir(mode=0o700)
        names = self.names if everything else self.sure_names
        if dice is not None and dice.random() < 0.5:
            names = self.names
        for name, file in names.items():
            if name.endswith(VOLATILE):
                continue
            content = file.content(dice) if dice or everything else bytes(file.sure)
            path = folder / name
            path.write_bytes(content)
            path.chmod(0o600)


def hear(notes, words):
    """Notes in their place among the others what somebody outside has seen."""
    data = words.encode()
    with open(notes, "ab", 0) as file:
        file.write(HEAD.pack(b"H", 0, len(data), 0) + data)


def read(notes):
    """The notes of a file, in order. One that a kill cut short is none."""
    content = Path(notes).read_bytes()
    at = 0
    while at + HEAD.size <= len(content):
        what, path, data, place = HEAD.unpack_from(content, at)
        at += HEAD.size
        if at + path + data > len(content):
            return
        yield what.decode(), content[at:at + path].decode(), place, content[at + path:at + path + data]
        at += path + data
