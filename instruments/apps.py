from django.apps import AppConfig


class InstrumentsConfig(AppConfig):
    name = "instruments"

    def rebuild_derived(self, *, using: str) -> None:
        """Rebuild the index of names and codes, which a transfer between databases does not copy."""
        from instruments.listings.load import search_index  # noqa: PLC0415  # models must be there first

        search_index.rebuild(using)
