"""Sphinx extension with the directives that draw maps and tables of the package."""

import decision_map
import house
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class DecisionMap(SphinxDirective):
    """The decision map, where the output is HTML."""

    def run(self) -> list[nodes.Node]:
        """Draw it, with links relative to the page."""
        builder, page = self.env.app.builder, self.env.docname
        self.env.note_dependency(decision_map.__file__)

        def link(leaf: decision_map.Leaf) -> str:
            target = leaf.page
            if target not in self.env.found_docs:
                target = f"api/generated/{leaf.regressor}"
            return builder.get_relative_uri(page, target)

        return [nodes.raw("", decision_map.draw(link), format="html")]


class FamilyTable(SphinxDirective):
    """The table of families."""

    def run(self) -> list[nodes.Node]:
        """Parse its reStructuredText."""
        self.env.note_dependency(decision_map.__file__)
        return list(self.parse_text_to_nodes(decision_map.table()))


class House(SphinxDirective):
    """The floors of the packages and their imports, where the output is HTML."""

    def run(self) -> list[nodes.Node]:
        """Draw them."""
        self.env.note_dependency(house.__file__)
        return [nodes.raw("", house.draw_svg(), format="html")]


class Floors(SphinxDirective):
    """The same as a table."""

    def run(self) -> list[nodes.Node]:
        """Parse its reStructuredText."""
        self.env.note_dependency(house.__file__)
        return list(self.parse_text_to_nodes(house.table()))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("decision-map", DecisionMap)
    app.add_directive("family-table", FamilyTable)
    app.add_directive("house", House)
    app.add_directive("floors", Floors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
