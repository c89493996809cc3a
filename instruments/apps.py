from django.apps import AppConfig


class InstrumentsConfig(AppConfig):
    name = "instruments"

    def rebuild_derived(self, *, using: str) -> None:
        """What a transfer leaves to be made anew: the index of names and codes."""
        from instruments.listings.load import search_index  # noqa: PLC0415  # models must be there first

        search_index.rebuild(using)
