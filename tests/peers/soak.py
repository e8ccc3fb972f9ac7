"""A soak: visitors of every kind for a while, under switches, reloads and new certificates.

What the process holds is written down every ten seconds, and at the end it is judged: resident
memory, descriptors and threads are flat, and nothing failed that should not have.

    tests/soak --minutes 30
    tests/soak --minutes 5 --binary target/release/intermission
    tests/soak --minutes 3 --leak      the control: this program keeps connections, and must be found
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1] / "browser"))

import traffic  # noqa: E402
from application import SERVICE, Chat, Greeter, Web  # noqa: E402
from node import ROUTES, Authority, Node  # noqa: E402

# By how much the last quarter may lie above the first after the warm-up.
GROWTH_MAX = 0.05
# What comes and goes with the traffic of the moment: a burst alone has 200 requests under way.
SLACK = {"rss": 1 << 20, "fds": 64, "threads": 1, "connections": 64, "in_flight": 200}
# Descriptors that may be more when all is over than before it began.
LEFT_MAX = 12
# Connections that the control keeps at each sample.
LEAKED = 6
EVERY_SECONDS = 10
# After the traffic: an idle connection to a server is kept for a minute.
LETTING_GO_SECONDS = 120


def applications(role, pipe):
    """Runs the applications in a process of their own until its standard input ends."""
    assert role
    served = {"web": Web(), "chat": Chat(), "greeter": Greeter()}
    print(json.dumps({name: one.address for name, one in served.items()}), flush=True)
    pipe.read()


def gauges(node):
    """What the proxy itself says it holds."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{node.admin}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    wanted = {"intermission_connections": "connections", "intermission_in_flight": "in_flight"}
    held = dict.fromkeys(wanted.values(), 0)
    for line in lines:
        name, _, value = line.rpartition(" ")
        if (known := wanted.get(name.split("{")[0])) is not None:
            held[known] += int(float(value))
    return held


def sample(node, began):
    """What is held now."""
    return {"seconds": round(time.monotonic() - began)} | node.resources() | gauges(node)


def verdict(samples, warm):
    """What grew: lines of text, empty if nothing did."""
    settled = [one for one in samples if one["seconds"] >= warm]
    if len(settled) < 8:
        return [f"only {len(settled)} samples after the warm-up: too short to say"]
    quarter = len(settled) // 4
    grown = []
    for what, slack in SLACK.items():
        early = statistics.median(one[what] for one in settled[:quarter] if what in one)
        late = statistics.median(one[what] for one in settled[-quarter:] if what in one)
        change = late / early - 1 if early else 0.0
        flat = late <= early * (1 + GROWTH_MAX) + slack
        print(f"  {what:<12} first quarter {early:>14,.0f}   last {late:>14,.0f}   {change:+.1%}"
              f"   {'flat' if flat else 'GROWN'}")
        if not flat:
            grown.append(what)
    return grown


def main():
    """Soaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, help="at most 240")
    parser.add_argument("--binary", default="target/release/intermission")
    parser.add_argument("--record", default="target/soak.jsonl", help="where the samples go")
    parser.add_argument("--calm", type=int, default=1, help="everybody pauses so many times longer")
    parser.add_argument("--without", default="", help="kinds of traffic to leave out, by comma")
    parser.add_argument("--leak", action="store_true", help="the control")
    parser.add_argument("--applications", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.applications:
        return applications("applications", sys.stdin)
    minutes = min(options.minutes, 240.0)
    without = [kind.strip() for kind in options.without.split(",") if kind.strip()]
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        return soak(Path(folder), Path(options.binary).resolve(), minutes, without, options)


def soak(folder, binary, minutes, without, options):
    """One soak in a folder of its own; 0 if all was well."""
    command = [sys.executable, __file__, "--applications"]
    served = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    node = None
    try:
        at = json.loads(served.stdout.readline())
        upstreams = "".join(
            f'[[upstream]]\nname = "{name}"\nservers = ["{address}"]\n{more}'
            for (name, address), more in zip(
                (("app", at["web"]), ("chat", at["chat"]), ("greeter", at["greeter"])), ("", "", 'protocol = "h2"\n'))
            if name != "greeter" or "grpc" not in without
        )
        route = f'[[route]]\nname = "greeter"\npaths = ["/{SERVICE}/*"]\nupstream = "greeter"\n'
        routes = ROUTES + (route if "grpc" not in without else "")
        node = Node(str(binary), folder, Authority(folder), upstreams, routes, access="/dev/null")
        return judge(node, minutes * 60, without, options)
    finally:
        if node is not None and node.process.poll() is None:
            node.stop()
        served.stdin.close()
        try:
            served.wait(timeout=20)
        except subprocess.TimeoutExpired:
            # Connections that the applications wait for are of no use to anybody now.
            served.kill()
            served.wait()


def emptied(node, idle, began):
    """What is held once idle connections to the applications have been let go of."""
    deadline = time.monotonic() + LETTING_GO_SECONDS
    while time.monotonic() < deadline and node.resources()["fds"] > idle["fds"] + LEFT_MAX:
        time.sleep(1)
    return sample(node, began)


def leak(node):
    """A connection that stays, since its answer never ends."""
    kept = socket.create_connection(("127.0.0.1", node.http))
    kept.sendall(b"GET /events?count=0&every=5 HTTP/1.1\r\nHost: a\r\n\r\n")
    return kept


def judge(node, seconds, without, options):
    """Lets the traffic in, looks on, and tells what it was like."""
    account, kept, samples = traffic.Account(options.calm), [], []
    began, idle = time.monotonic(), node.resources()
    threads = traffic.start(account, node, without)
    Path(options.record).parent.mkdir(parents=True, exist_ok=True)
    with open(options.record, "w", encoding="utf-8") as record:
        while (passed := time.monotonic() - began) < seconds:
            account.stop.wait(min(EVERY_SECONDS, max(seconds - passed, 0.1)))
            if node.process.poll() is not None:
                print(f"THE PROXY IS GONE: {node.process.returncode}\n{node.said()}")
                return 1
            if options.leak:
                kept += [leak(node) for _ in range(LEAKED)]
            samples.append(sample(node, began))
            record.write(json.dumps(samples[-1]) + "\n")
            record.flush()
    account.stop.set()
    for thread in threads:
        thread.join(30)
    node.reopen_all()
    quiet = emptied(node, idle, began)
    print(f"after {seconds / 60:.1f} minutes, {len(samples)} samples in {options.record}:")
    for kind in sorted(account.done):
        print(f"  {account.done[kind]:>10,} {kind}")
    faults = sorted(account.faults.items())
    for kind, count in faults:
        print(f"  {count:>10,} FAILED: {kind}")
    for line in account.told:
        print(f"    {line}")
    # The first fifth, but at most five minutes: pools, caches and the allocator fill up.
    grown = verdict(samples, min(seconds / 5, 300))
    for what in grown:
        print(f"  {what}")
    print(f"  before the traffic {idle}\n  after it           {quiet}")
    left = quiet["fds"] > idle["fds"] + LEFT_MAX
    if left:
        print("  descriptors ARE LEFT OPEN")
    log = (node.folder / "proxy.log").read_text()
    panicked = "panicked" in log
    code = node.stop()
    print(f"  it ended with {code}" + (", AND IT PANICKED: " + log[-3000:] if panicked else ""))
    well = not (grown or faults or left or panicked or code != 0)
    print("soak: " + ("flat, and nothing failed" if well else "NOT AS IT SHOULD BE"))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
