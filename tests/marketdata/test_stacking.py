"""Tables whose rows are paragraphs on a phone."""

from django.template import engines


def test_each_cell_has_the_header_of_its_column() -> None:
    template = engines["django"].from_string(
        "{% load stacking %}{% stacked %}<table><thead><tr><th>ISIN</th>"
        '<th class="number"><span class="hidden">Delete</span></th><th>Name</th></tr></thead><tbody>'
        '{% for name in names %}<tr><td>1</td><td>2</td><td class="name">{{ name }}</td><td>4</td></tr>'
        "<tr><td>5</td></tr>{% endfor %}</tbody></table>{% endstacked %}"
    )

    table = template.render({"names": ["<td>A & B"]})

    assert table.partition("<tbody>")[2] == (
        '<tr><td data-label="ISIN">1</td><td data-label="">2</td>'
        '<td data-label="Name" class="name">&lt;td&gt;A &amp; B</td><td data-label="">4</td></tr>'
        '<tr><td data-label="ISIN">5</td></tr></tbody></table>'
    )
