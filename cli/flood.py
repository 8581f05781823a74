"""Warnings for a terminal: the first few of a kind are shown, the rest of a flood is counted."""

from dataclasses import dataclass, field

SHOWN = 5
WITHIN_S = 10.0


@dataclass
class _Kind:
    began: float
    shown: int = 0
    held_back: int = 0


@dataclass
class Flood:
    """What was shown of each kind lately."""

    _kinds: dict[str, _Kind] = field(default_factory=dict)

    def let_through(self, kind: str, now: float) -> bool:
        """Tell whether another one of a kind may be shown; one that may not is counted."""
        known = self._kinds.setdefault(kind, _Kind(now))
        if known.shown < SHOWN:
            known.shown += 1
            return True
        known.held_back += 1
        return False

    def over(self, now: float) -> list[tuple[str, int]]:
        """Return the kinds whose time is over, with how many were held back; they begin anew."""
        ended = [kind for kind, known in self._kinds.items() if now - known.began >= WITHIN_S]
        counts = [(kind, self._kinds.pop(kind).held_back) for kind in ended]
        return [(kind, held_back) for kind, held_back in counts if held_back]
