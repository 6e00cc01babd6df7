"""Provenance: where a question came from."""

from cms.formats.item import ProvenanceItem
from cms.models import Provenance


def provenance_item(row: Provenance) -> ProvenanceItem:
    """Return a provenance as formats carry it."""
    return ProvenanceItem(
        source=row.source,
        url=row.url,
        date=row.date,
        license=row.license,
        attribution=row.attribution,
        external_id=row.external_id,
        ordinal=row.ordinal,
    )
