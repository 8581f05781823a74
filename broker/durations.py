"""Durations as people say them."""


def span(seconds: float | None) -> str:
    """Return a duration as people say it: `3.4 s`, `2 min 5 s`, `1 h 4 min`; "" where it is not known."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
