"""How many images there are to ask about, and how far the answers have come: the same for every page."""

from dashboard.site import Site
from store.review_queue import Standing, population, standing
from store.review_scope import Scope
from store.sampling import Stratum


async def images_of(site: Site, scope: Scope) -> tuple[Stratum, ...]:
    """Return the images by stratum, as they were counted now or a while ago. Raises SettingsError."""
    return await site.counting.of(scope, lambda: site.ask(lambda connection: population(connection, scope)))


async def standing_of(site: Site, scope: Scope) -> Standing:
    """Return how far the answers have come; they themselves are read each time. Raises SettingsError."""
    images = await images_of(site, scope)
    return await site.asked(lambda connection: standing(connection, scope, images))
