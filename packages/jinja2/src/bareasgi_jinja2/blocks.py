"""Renders single blocks of a template as they would stand in the whole page.

A block may need what stands outside of all blocks: the variables that a template sets,
what it imports, its macros, and the template that it extends. So of each template in
the line of inheritance a second one is compiled that has these statements and gives no
text. It runs first, and then the blocks that were asked for.
"""

from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from jinja2 import BaseLoader, Environment, Template, TemplateRuntimeError, nodes
from jinja2.runtime import Context

from bareasgi_jinja2.errors import BlockNotFoundError

_EXTEND: Final = "__bareasgi_jinja2_extend"
"""The name under which a preamble finds the function in place of `extends`."""

_DEFINITIONS: Final = (
    nodes.Assign,
    nodes.AssignBlock,
    nodes.EvalContextModifier,
    nodes.ExprStmt,
    nodes.FromImport,
    nodes.Import,
    nodes.Macro,
)


class Preambles:
    """What stands outside of the blocks, compiled once for each loaded template."""

    def __init__(self) -> None:
        self._compiled: WeakKeyDictionary[Template, Template] = WeakKeyDictionary()

    def parts(
        self, template: Template, context: Context, blocks: Sequence[str]
    ) -> Generator[str, None, None]:
        """Give the text of the blocks, of a template that is not async.

        Raises BlockNotFoundError before the first text if there is not such a block.
        """
        for preamble in self._run(template, context):
            "".join(preamble)
        _check(template, context, blocks)
        for name in blocks:
            yield from context.blocks[name][0](context)

    async def async_parts(
        self, template: Template, context: Context, blocks: Sequence[str]
    ) -> AsyncGenerator[str, None]:
        """Give the text of the blocks, of an async template, as `parts` does."""
        for preamble in self._run(template, context):
            "".join([part async for part in preamble])
        _check(template, context, blocks)
        for name in blocks:
            block: Any = context.blocks[name][0](context)
            async with aclosing(block):
                async for part in block:
                    yield part

    def _run(self, template: Template, context: Context) -> Iterator[Any]:
        """Give what must be run to its end, of the template and those it extends."""
        line = [template]

        def extend(name: str | Template) -> None:
            parent = template.environment.get_template(name, line[-1].name)
            if parent in line:
                raise TemplateRuntimeError(f"{parent.name!r} extends itself")
            for block_name, block in parent.blocks.items():
                context.blocks.setdefault(block_name, []).append(block)
            line.append(parent)

        context.vars[_EXTEND] = extend
        for each in line:  # which grows by what each of them extends
            yield self._preamble(each).root_render_func(context)
        del context.vars[_EXTEND]

    def _preamble(self, template: Template) -> Template:
        preamble = self._compiled.get(template)
        if preamble is None:
            preamble = self._compiled[template] = _compile(template)
        return preamble


def _check(template: Template, context: Context, blocks: Sequence[str]) -> None:
    for name in blocks:
        if name not in context.blocks:
            raise BlockNotFoundError(name, template.name, context.blocks)


def _compile(template: Template) -> Template:
    environment: Environment = template.environment
    # What was loaded by its name has a name, and came from a loader.
    name, loader = str(template.name), cast(BaseLoader, environment.loader)
    source = loader.get_source(environment, name)[0]
    tree = environment.parse(source, name, template.filename)
    tree.body = [*_definitions(tree.body)]
    tree.set_environment(environment)
    code = environment.compile(tree, name, template.filename)
    return Template.from_code(environment, code, template.globals)


def _definitions(body: Sequence[nodes.Node]) -> Iterator[nodes.Node]:
    """Give the statements that define something, and those in conditions."""
    for node in body:
        match node:
            case nodes.Extends():
                extend = nodes.Name(_EXTEND, "load")
                call = nodes.Call(extend, [node.template], [], None, None)
                yield nodes.ExprStmt(call).set_lineno(node.lineno)
            case nodes.If():
                node.body = [*_definitions(node.body)]
                node.elif_ = [*_elifs(node.elif_)]
                node.else_ = [*_definitions(node.else_)]
                # A condition with nothing to define may need what a block does not.
                if any((node.body, node.else_, *(each.body for each in node.elif_))):
                    yield node
            case _ if isinstance(node, _DEFINITIONS):
                yield node
            case _:
                pass


def _elifs(branches: Sequence[nodes.If]) -> Iterator[nodes.If]:
    for branch in branches:
        branch.body = [*_definitions(branch.body)]
        yield branch
