"""Classes: a scope, or the whole graph, as the text of an nn.Module."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.architecture.graph import Graph, Node
from app.architecture.source.code import ATOM, Code, call, statement
from app.architecture.source.folding import Folding, Signature, below
from app.architecture.source.naming import identifier
from app.architecture.source.operations import KINDS, called, made, numbers

INLINE = 88  # characters of an expression that still has others inside

Vector = tuple[int, ...]  # a number at every instance
Slot = tuple[tuple[int, int], ...]
Key = str | int  # of a value: the node that gives it, or the number of an input of the class


@dataclass(frozen=True, slots=True)
class Step:
    """A line of a body: a node, or a whole scope."""

    at: str
    output: str
    block: Signature | None


@dataclass(slots=True)
class Class:
    """What is known of a class before it is written."""

    name: str
    instances: list[str]
    steps: list[Step]
    slots: list[Slot]
    order: dict[str, int] = field(init=False)
    parameters: dict[str, tuple[str, Vector]] = field(
        default_factory=dict[str, tuple[str, Vector]]
    )  # kind and values by name
    attributes: dict[str, str] = field(default_factory=dict[str, str])  # by place below the first instance

    def __post_init__(self) -> None:
        self.order = {at: i for i, at in enumerate(self.instances)}


class Asked(dict[str, str]):
    """Numbers as they are written, and which of them were asked for."""

    def __init__(self, said: Mapping[str, str]) -> None:
        super().__init__(said)
        self.asked: dict[str, None] = {}

    def __getitem__(self, name: str) -> str:
        self.asked[name] = None
        return super().__getitem__(name)


class Writer:
    """Writes the classes of a graph, inner ones first."""

    def __init__(self, graph: Graph, folding: Folding) -> None:
        self.graph = graph
        self.folding = folding
        self.classes: dict[Signature, Class] = {}

    def steps(self, at: str) -> list[Step]:
        """The body of a scope; nothing is the place of the whole graph."""
        names = self.folding.scopes[at].nodes if at else tuple(self.graph.nodes)
        found: list[Step] = []
        for name in names:
            inner = next(iter(self.folding.chain(name, at)), None)
            if inner is None:
                found.append(Step(name, name, None))
            elif name == self.folding.scopes[inner].output:
                found.append(Step(inner, name, self.folding.chosen[inner]))
        return found

    def write(self, name: str, instances: list[str], slots: list[Slot], signature: Signature = -1) -> list[str]:
        """The lines of one class; `instances` are its scopes, of the whole graph the empty prefix."""
        made_of = Class(name, instances, self.steps(instances[0]), slots)
        self.classes[signature] = made_of
        return Body(self, made_of).lines()

    def locate(self, name: str) -> str:
        """Where the submodule of a node is: attributes from the whole graph's module on."""
        path: list[str] = []
        at, found = "", self.classes[-1]
        for inner in self.folding.chain(name):
            path.append(found.attributes[below(inner, at)])
            at, found = inner, self.classes[self.folding.chosen[inner]]
        return ".".join([*path, found.attributes[below(name, at)]])

    def numbers(self, step: Step, at: str, first: str) -> dict[str, int]:
        """The numbers of a step as they are at another instance of its class."""
        place = "/".join(p for p in (at, below(step.at, first)) if p)
        if step.block is None:
            return numbers(self.graph, self.graph.nodes[place])
        cls = self.classes[step.block]
        index = cls.order[place]
        return {name: values[index] for name, (_, values) in cls.parameters.items()}

    def kind(self, step: Step, name: str) -> str:
        """What a number counts."""
        if step.block is None:
            return KINDS.get(name, name)
        return self.classes[step.block].parameters[name][0]


class Body:
    """One class while it is written."""

    def __init__(self, writer: Writer, cls: Class) -> None:
        self.writer, self.graph, self.cls = writer, writer.graph, cls
        self.first = cls.instances[0]
        self.whole = not self.first
        self.kept: dict[str, None] = {}  # parameters that `forward` reads
        self.outside: dict[tuple[str, int], int] = {}  # reads of a node that are inputs of the class
        self.values: dict[Key, Code] = {}  # of a node: its variable, or an expression that is read once
        self.pending: dict[str, Code] = {}
        self.places: dict[str, str] = {}  # of an output: the step that gives it
        self.variables: set[str] = set()
        self.text: list[str] = []

    def lines(self) -> list[str]:
        """The class."""
        numbers = [self._columns(step) for step in self.cls.steps]
        built = [line for step, n in zip(self.cls.steps, numbers, strict=True) for line in self._built(step, n)]
        arguments = self._arguments()
        self._forward(numbers)
        kept = [f"        self.{name} = {name}" for name in self.kept]
        signature = call("(", [Code("self"), *map(Code, self.cls.parameters)])
        forward = call("(", [Code("self"), *map(Code, arguments)])
        lines: list[str] = []
        if built or kept:
            lines += statement(signature_of("__init__", signature), 4, "def ", ":")
            lines += ["        super().__init__()", *kept, *built, ""]
        return [*lines, *statement(signature_of("forward", forward), 4, "def ", ":"), *self.text]

    # -- construction

    def _columns(self, step: Step) -> dict[str, tuple[int, str]]:
        """The numbers of a step: factor and parameter, or a number and nothing."""
        if step.block is not None and self.writer.folding.scopes[step.at].source is not None:
            return {}
        rows = [self.writer.numbers(step, at, self.first) for at in self.cls.instances]
        found: dict[str, tuple[int, str]] = {}
        for name in rows[0]:
            vector = tuple([row[name] for row in rows])
            found[name] = self._number(step, name, self.writer.kind(step, name), vector)
        return found

    def _number(self, step: Step, name: str, kind: str, vector: Vector) -> tuple[int, str]:
        if len(set(vector)) == 1:
            return vector[0], ""
        for known, (of, values) in self.cls.parameters.items():
            factor = vector[0] // values[0] if values[0] else 0
            same = kind == of and tuple([factor * v for v in values]) == vector
            if same and (factor == 1 or kind == "channels"):
                return factor, known
        place = below(step.at, self.first)
        wanted = name if name not in self.cls.parameters else f"{place}_{name}"
        parameter = identifier(wanted, {*self.cls.parameters, *self.cls.attributes.values()})
        self.cls.parameters[parameter] = (kind, vector)
        return 1, parameter

    def _built(self, step: Step, n: Mapping[str, tuple[int, str]]) -> list[str]:
        """The line that makes the submodule of a step, if it has one."""
        said = {name: product(factor, parameter) for name, (factor, parameter) in n.items()}
        node = self.graph.nodes[step.output]
        if step.block is not None:
            if self.writer.folding.scopes[step.at].source is not None:
                return []
            arguments = [Code(f"{name}={value}") for name, value in said.items()]
            code: Code | None = call(f"{self.writer.classes[step.block].name}(", arguments)
        else:
            code = made(node, said)
        if code is None:
            return []
        place = below(step.at, self.first)
        wanted = place.removesuffix("/pool") if node.op.endswith("_pool") else place  # it has no weights to look for
        own = self.cls.attributes[place] = identifier(wanted, {*self.cls.attributes.values(), *self.cls.parameters})
        lines = statement(code, 8, f"self.{own} = ")
        if step.block is None and ("zero", True) in node.attrs:
            tensors = ("weight", "bias") if node["bias"] else ("weight",)
            lines += [f"        nn.init.zeros_(self.{own}.{tensor})" for tensor in tensors]
        return lines

    # -- computation

    def _arguments(self) -> list[str]:
        """The names of the inputs; they stand for what an instance reads from outside."""
        if self.whole:
            inputs = [n for n in self.graph.nodes.values() if n.op == "input"]
            names: list[str] = []
            for node in inputs:
                names.append(identifier(node.name, names))
                self.values[node.name] = Code(names[-1])
        else:
            nodes = self.writer.folding.scopes[self.first].nodes
            names = ["x"] if len(self.cls.slots) == 1 else [f"x{i}" for i in range(len(self.cls.slots))]
            self.outside = {(nodes[i], k): number for number, slot in enumerate(self.cls.slots) for i, k in slot}
            self.values |= {number: Code(name) for number, name in enumerate(names)}
        self.variables.update(names)
        return names

    def _reads(self, step: Step) -> list[Key]:
        """What a step takes, in order."""
        if step.block is not None:
            nodes = self.writer.folding.scopes[step.at].nodes
            places = [(nodes[i], k) for ((i, k), *_) in self.writer.classes[step.block].slots]
        else:
            node = self.graph.nodes[step.at]
            places = [(node.name, k) for k in range(1 if node.op == "tied_linear" else len(node.inputs))]
        return [self.outside.get(place, self.graph.nodes[place[0]].inputs[place[1]]) for place in places]

    def _forward(self, numbers: Sequence[Mapping[str, tuple[int, str]]]) -> None:
        outputs = self.graph.outputs if self.whole else (self.writer.folding.scopes[self.first].output,)
        self.places = {step.output: step.at for step in self.cls.steps}
        uses = Counter(name for step in self.cls.steps for name in self._reads(step))
        uses.update(outputs)
        for step, n in zip(self.cls.steps, numbers, strict=True):
            if self.graph.nodes[step.output].op == "input":
                continue
            self.values[step.output] = self.pending[step.output] = self._fitting(step, n)
            if uses[step.output] > 1 or (self.whole and step.block is not None):
                self._assign(step.output)
        answers = [self.values[name] for name in outputs]
        answer = answers[0]
        if len(answers) > 1:
            answer = Code(", ".join(a.text for a in answers), ATOM, "(", tuple(answers), ")")
        comment = self._shape(outputs[0]) if len(answers) == 1 and outputs[0] in self.pending else ""
        self.text += statement(answer, 8, "return ", comment=comment)

    def _fitting(self, step: Step, n: Mapping[str, tuple[int, str]]) -> Code:
        """The expression of a step; what it reads becomes variables where the line would be too long."""
        while True:
            reads = self._reads(step)
            code = self._called(step, n, [self.values[name] for name in reads])
            inside = [name for name in reads if isinstance(name, str) and name in self.pending]
            if len(code.text) <= INLINE or not inside:
                for name in inside:
                    del self.pending[name]
                return code
            self._assign(max(inside, key=lambda name: len(self.pending[name].text)))

    def _called(self, step: Step, n: Mapping[str, tuple[int, str]], arguments: Sequence[Code]) -> Code:
        own = f"self.{self._own(step)}"
        if step.block is not None:
            return call(f"{own}(", arguments)
        said = Asked({name: product(factor, of and f"self.{of}") for name, (factor, of) in n.items()})
        code = called(self.graph, self.graph.nodes[step.at], said, own, arguments)
        self.kept |= {n[name][1]: None for name in said.asked if n[name][1]}
        return code

    def _own(self, step: Step) -> str:
        """The submodule of a step from this class on; of what is tied the one that it shares."""
        source = step.at
        if step.block is not None:
            source = self.writer.folding.scopes[step.at].source or step.at
        elif self.graph.nodes[step.at].op == "tied_linear":
            source = self.graph.nodes[step.at].inputs[1]
        node = source if step.block is None else self.writer.folding.scopes[source].output
        path: list[str] = []
        at, found = self.first, self.cls
        for inner in self.writer.folding.chain(node, at):
            if inner == source:
                break
            path.append(found.attributes[below(inner, at)])
            at, found = inner, self.writer.classes[self.writer.folding.chosen[inner]]
        return ".".join([*path, found.attributes.get(below(source, at), "")])

    def _assign(self, name: str) -> None:
        code = self.pending.pop(name)
        place = self.places[name].removesuffix("/pool")
        variable = identifier(below(place, self.first), self.variables)
        self.variables.add(variable)
        self.values[name] = Code(variable)
        self.text += statement(code, 8, f"{variable} = ", comment=self._shape(name))

    def _shape(self, name: str) -> str:
        """The shape of a node's output, where it is the same at every instance."""
        rest = below(name, self.first)
        places = ["/".join(p for p in (at, rest) if p) for at in self.cls.instances]
        shapes = {shape(self.graph.nodes[place]) for place in places}
        return shapes.pop() if len(shapes) == 1 else ""


def signature_of(name: str, code: Code) -> Code:
    """The head of a method."""
    return Code(f"{name}{code.text}", ATOM, f"{name}{code.open}", code.items, code.close)


def product(factor: int, parameter: str) -> str:
    """A multiple of a parameter, or a number."""
    return str(factor) if not parameter else parameter if factor == 1 else f"{factor} * {parameter}"


def shape(node: Node) -> str:
    """Batch, channels and extents; of tokens the features come last."""
    extents = [*node.size, len(node.axis)] if len(node.size) == 1 else [len(node.axis), *node.size]
    return f"({', '.join(['B', *map(str, extents)])})"
