"""Words that must not be found, in every writing that software is known to leave them in."""

import base64
import json
import re
import struct
import urllib.parse

PAGE_BYTES, PAGES_AT_ONCE = 4096, 1 << 16


def writings(word):
    """The word as bytes: raw, percent, base64 at each offset, UTF-16, JSON, hex."""
    raw = word.encode()
    found = {
        "raw": raw,
        "percent": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "percent, low": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "form": urllib.parse.quote_plus(word).encode(),
        "UTF-16LE": word.encode("utf-16-le"),
        "UTF-16BE": word.encode("utf-16-be"),
        "JSON": json.dumps(word)[1:-1].encode(),
        "JSON, all escaped": "".join(f"\\u{ord(letter):04x}" for letter in word).encode(),
        "hex": raw.hex().encode(),
        "reversed": raw[::-1],
    }
    for lead in range(3):
        # What stands before shifts the letters; what is cut depends on it and on what follows.
        coded = base64.b64encode(b"\0" * lead + raw)
        inner = coded[4 if lead else 0:-4]
        found[f"base64 at {lead}"] = inner
        found[f"base64url at {lead}"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    # Many are the same for a word of letters and digits: each is looked for once.
    return {writing: needle for needle, writing in {needle: writing for writing, needle in found.items()}.items()}


def sightings(canaries, content):
    """Which canaries are in `content`, and in which writing."""
    return sorted({
        (name, writing)
        for name, word in canaries.items()
        for writing, needle in writings(word).items()
        if needle in content
    })


def memory(pid):
    """What the process holds in memory that it may write, in pieces that overlap a little."""
    with (
        open(f"/proc/{pid}/maps") as maps,
        open(f"/proc/{pid}/mem", "rb", 0) as memory,
        open(f"/proc/{pid}/pagemap", "rb", 0) as pages,
    ):
        for line in maps:
            start, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            if "rw" not in rights or "[v" in line:
                continue
            for first, last in held(pages, int(start, 16) // PAGE_BYTES, int(end, 16) // PAGE_BYTES):
                memory.seek(first * PAGE_BYTES)
                yield memory.read((last - first) * PAGE_BYTES)


def held(pages, start, end):
    """Runs of pages that are there: an allocator reserves far more than it uses."""
    pages.seek(start * 8)
    run = None
    for at in range(start, end, PAGES_AT_ONCE):
        told = pages.read(min(PAGES_AT_ONCE, end - at) * 8)
        for place, (page,) in enumerate(struct.iter_unpack("<Q", told), at):
            # Present, or swapped out.
            if page >> 62 and run is None:
                run = place
            elif not page >> 62 and run is not None:
                yield run, place
                run = None
    if run is not None:
        yield run, end


def in_memory(canaries, pid):
    """Which canaries are in a process's memory."""
    found = set()
    for piece in memory(pid):
        found.update(sightings(canaries, piece))
    return sorted(found)
