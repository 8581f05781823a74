"""Which settings the store takes over while it runs, and what follows from them."""

from broker.settings import Monitor, Settings, Upkeep

LIVE = frozenset(
    {
        *(f"monitor.{key}" for key in Monitor.__struct_fields__),
        *(f"upkeep.{key}" for key in Upkeep.__struct_fields__),
        *("store.busy_timeout_s", "store.group_ms", "store.group_rows"),
        *("store.keep_pixels_days", "store.min_free_mb", "ingest_agent.canary_s"),
    }
)
"""Numbers that are looked up each time. The database's URL and `synchronous` want a restart."""


def bounds_of(settings: Settings) -> Monitor:
    """Return the monitor's bounds; a canary is late when its own interval is over too."""
    interval_s, bounds = settings.ingest_agent.canary_s, settings.monitor
    late_s = interval_s + bounds.canary_late_s if interval_s and bounds.canary_late_s else 0.0
    fields = {name: getattr(bounds, name) for name in bounds.__struct_fields__}
    return Monitor(**{**fields, "canary_late_s": late_s})
