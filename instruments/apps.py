from django.apps import AppConfig


class InstrumentsConfig(AppConfig):
    name = "instruments"

    def rebuild_derived(self, *, using: str) -> None:
        """Rebuild the indexes of names and codes, which a transfer between databases does not copy."""
        from instruments.entities import load  # noqa: PLC0415  # models must be there first
        from instruments.listings.load import search_index  # noqa: PLC0415

        search_index.rebuild(using)
        load.rebuild_index(using)
