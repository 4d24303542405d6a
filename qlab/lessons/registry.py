"""A dictionary whose missing keys are explained."""

from difflib import get_close_matches


class Registry(dict):
    """Questions or exercises by id."""

    def __init__(self, noun):
        """Start empty; `noun` is what errors call an entry."""
        super().__init__()
        self.noun = noun

    def add(self, entry):
        """Keep `entry` under its id, which must be new."""
        if entry.id in self:
            raise ValueError(f"There is already a {self.noun} {entry.id!r}. Choose another id.")
        self[entry.id] = entry
        return entry

    def find(self, id):
        """Return the entry, or raise ValueError naming the closest ids."""
        if id in self:
            return self[id]
        near = get_close_matches(str(id), self, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else "There are: " + ", ".join(sorted(self))
        raise ValueError(f"There is no {self.noun} {id!r}. {advice}")
