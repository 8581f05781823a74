"""Which settings an agent takes over while it runs, and how."""

from broker.settings import IngestAgent
from ingest_agent.canary import Canary
from ingest_agent.finishing import Finishing
from ingest_agent.gathering import Gathering
from ingest_agent.post import InboxPost
from ingest_agent.window import Window

LIVE = frozenset(
    f"ingest_agent.{key}"
    for key in (
        *("batch_images", "canary_s", "give_up_s", "linger_ms", "quiet_s", "rescan_s"),
        *("resend_max_s", "resend_min_s", "settle_s", "window"),
    )
)
"""Numbers that are looked up each time. Inbox, source, readers and ignored names want a restart."""


def take_over(
    own: IngestAgent,
    gathering: Gathering,
    finishing: Finishing,
    post: InboxPost,
    canary: Canary,
    window: Window,
) -> None:
    """Go on with changed settings; a batch that is sealed stays as it is."""
    gathering.own = finishing.own = own
    post.use(own)
    canary.every_s = own.canary_s
    window.size = own.window
    window.round_trip.bound(own.resend_min_s, own.resend_max_s)
