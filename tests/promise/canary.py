"""Words that must not be found, in every writing that software is known to leave them in."""

import base64
import json
import re
import urllib.parse


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
    return found


def sightings(canaries, content):
    """Which canaries are in `content`, and in which writing."""
    return sorted({
        (name, writing)
        for name, word in canaries.items()
        for writing, needle in writings(word).items()
        if needle in content
    })


def memory(pid):
    """What the process holds in memory that it may write, region by region."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            if "rw" not in rights or "[v" in line:
                continue
            start, end = int(start, 16), int(end, 16)
            step, overlap = 1 << 24, 1 << 12
            for at in range(start, end, step):
                memory.seek(at)
                try:
                    yield memory.read(min(step + overlap, end - at))
                except OSError:
                    # A guard page, or one that went away meanwhile.
                    break


def in_memory(canaries, pid):
    """Which canaries are in a process's memory."""
    found = set()
    for piece in memory(pid):
        found.update(sightings(canaries, piece))
    return sorted(found)
