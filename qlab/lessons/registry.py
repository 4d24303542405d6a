"""What the course registers: entries by id, and the notebooks by topic."""

from difflib import get_close_matches

from qlab.lessons.old_ids import current

NOTEBOOKS = {}  # number and title by topic, in the order of the course


class Registry(dict):
    """Questions or exercises by id."""

    def __init__(self, noun):
        super().__init__()
        self.noun = noun

    def add(self, entry):
        """Keep `entry` under its id, which must be new."""
        if entry.id in self:
            raise ValueError(f"There is already a {self.noun} {entry.id!r}. Choose another id.")
        self[entry.id] = entry
        return entry

    def find(self, id):
        """Return the entry of an id, old or new, or raise ValueError naming the closest ids."""
        now = current(str(id))
        if now in self:
            return self[now]
        near = get_close_matches(now, self, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else "There are: " + ", ".join(sorted(self))
        raise ValueError(f"There is no {self.noun} {id!r}. {advice}")


def topic_of(id):
    """The topic that a question, an exercise or a quiz belongs to."""
    return id.split(".")[0]
