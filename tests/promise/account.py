"""What visitors were promised, what happened, and the check that holds one against the other."""

from collections import Counter, defaultdict

# States in which a submission can be in the end, and what they say about the application.
CAN_ARRIVE = {"accepted", "refused", "unknown", "armed", "done"}
NOT_ARRIVED = {"held"}


class Account:
    """Entries of (kind, mark, owner). Appending to a list is atomic, so threads share it."""

    def __init__(self):
        self.entries = []

    def enter(self, kind, mark, owner):
        """`receipt`, `pressed`, `checked`, `arrived`, `shown`, or `is:<state>` in the end."""
        self.entries.append((kind, mark, owner))

    def sums(self):
        """How often each kind happened to each mark."""
        sums = defaultdict(Counter)
        for kind, mark, _ in self.entries:
            sums[mark][kind] += 1
        return sums

    def states(self):
        """How many are in each state in the end."""
        kinds = Counter(kind for kind, _, _ in self.entries)
        return {kind[3:]: many for kind, many in sorted(kinds.items()) if kind.startswith("is:")}

    def faults(self, owner_of):
        """What was promised and is not so. `owner_of`: whose form carries a mark."""
        faults = [
            ("mixed", mark, kind, owner)
            for kind, mark, owner in self.entries
            if owner_of(mark) != owner
        ]
        for mark, sum_ in self.sums().items():
            states = {kind[3:] for kind in sum_ if kind.startswith("is:")}
            if sum_["receipt"] and not (sum_["shown"] and states):
                faults.append(("lost", mark))
            if sum_["arrived"] > 1 + sum_["checked"]:
                faults.append(("twice", mark, sum_["arrived"]))
            if sum_["arrived"] and not sum_["pressed"]:
                faults.append(("unasked", mark))
            if sum_["arrived"] and states & NOT_ARRIVED:
                faults.append(("would go twice", mark, sorted(states)))
            if not sum_["arrived"] and states & {"accepted", "done"}:
                faults.append(("lied", mark, sorted(states)))
            if states - CAN_ARRIVE - NOT_ARRIVED:
                faults.append(("stuck", mark, sorted(states)))
        return faults
