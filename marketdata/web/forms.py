"""Form fields that several pages have."""

from django import forms


def day_field(label: str, help_text: str = "") -> forms.DateField:
    """Return an optional day, entered by the browser's date picker. `help_text` is shown on hovering."""
    widget = forms.DateInput(attrs={"type": "date", "title": help_text}, format="%Y-%m-%d")
    return forms.DateField(
        required=False, label=label, widget=widget, input_formats=["%Y-%m-%d"], help_text=help_text
    )
