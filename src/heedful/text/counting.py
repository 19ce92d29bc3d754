"""What is put into a Jinja program so that it cannot do anything uncounted.

The tree of a program comes in and goes out with calls of its environment (`step`, `same`, `joined`)
around what Jinja would do without asking; `heedful.text.sandbox` counts them.
"""

__all__ = ["Counting", "Generation", "OpaqueNamespace"]

from typing import Any

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer


class OpaqueNamespace(Namespace):
    """Jinja's, which shows nothing of what is in it."""

    def __repr__(self) -> str:
        return "<namespace>"


class Generation(Extension):
    """`{% generation %}`, which marks what a model was trained on: shown as it is."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Any) -> nodes.Node:
        """Return what stands within."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class Counting(NodeTransformer):
    """Puts calls into a program that charge what would cost nothing otherwise."""

    def _called(self, name: str, values: list[nodes.Expr], node: nodes.Node) -> nodes.Call:
        its = nodes.EnvironmentAttribute(name, lineno=node.lineno)
        return nodes.Call(its, values, [], None, None, lineno=node.lineno)

    def _made(self, node: nodes.Expr) -> nodes.Expr:
        self.generic_visit(node)
        stored = getattr(node, "ctx", "load") == "store"
        return node if stored else self._called("same", [node], node)

    visit_List = visit_Tuple = visit_Dict = visit_TemplateData = _made  # noqa: N815

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        """Charge a slice, which is a copy; what is only looked up is there already."""
        return self._made(node) if isinstance(node.arg, nodes.Slice) else self.generic_visit(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:  # noqa: N802
        """Make `a ~ b` a call."""
        self.generic_visit(node)
        return self._called("joined", node.nodes, node)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Expr:  # noqa: N802
        """Charge what is compared."""
        self.generic_visit(node)
        node.expr = self._called("same", [node.expr], node)
        for operand in node.ops:
            operand.expr = self._called("same", [operand.expr], node)
        return node

    def _entered(self, node: Any) -> Any:
        weight = 1 + sum(1 for _ in node.find_all(nodes.Node))
        self.generic_visit(node)
        step = self._called("step", [nodes.Const(weight, lineno=node.lineno)], node)
        node.body.insert(0, nodes.ExprStmt(step, lineno=node.lineno))
        return node

    visit_For = visit_Macro = visit_CallBlock = _entered  # noqa: N815
