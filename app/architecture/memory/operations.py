"""What computing one node allocates, keeps for the backward pass, and needs for a moment.

One function a family, as `workers.primitives` computes it with torch on a CPU without bfloat16 units. Where torch's
kernels lay out copies, the reason stands beside the term. Legend: B batch, x numbers of an input, y of the output.
"""

from math import prod

from app.architecture.graph import Graph, Node, tensors
from app.architecture.memory.tape import Tape, Value

FLOAT, HALF, INDEX = 4, 2, 8  # bytes of a number

BLOCK = 8  # channels that oneDNN keeps side by side

# torch's flash attention on a CPU (aten/src/ATen/native/cpu/FlashAttentionKernel.cpp): rows of a block by tokens
ROWS = ((768, 256), (192, 64), (0, 32))
COLUMNS = 512

# up to these torch interpolates with channels last (aten/src/ATen/native/cpu/UpSampleKernel.cpp)
VECTOR_EXTENTS, VECTOR_CHANNELS = 128, 3  # height and width of the result together; channels


class Operations:
    """Computes nodes on a tape, with the parameters of a graph."""

    def __init__(self, graph: Graph, tape: Tape, batch: int, *, half: bool) -> None:
        self.graph = graph
        self.tape = tape
        self.batch = batch
        self.half = half
        self.parameters: dict[str, list[Value]] = {}
        self.cast: dict[str, list[Value]] = {}  # autocast keeps what it has cast of a parameter

    def numel(self, node: Node) -> int:
        """Numbers that a node puts out for the batch."""
        return self.batch * len(node.axis) * prod(node.size)

    def hold_parameters(self) -> int:
        """Allocate parameters and buffers; bytes of the former."""
        tape, before = self.tape, self.tape.live
        buffers = 0
        for node in self.graph.nodes.values():
            tape.place = node.name
            if node.op == "tied_linear":
                continue
            own = [tape.parameter(prod(map(len, axes)), FLOAT) for axes in tensors(self.graph, node).values()]
            if own:
                self.parameters[node.name] = own
            if node.op == "batch_norm":
                buffers += 2 * len(node.axis) * FLOAT  # running mean and variance
            elif node.op == "attention" and node["relative"]:
                buffers += 2 * node.size[0] ** 2 * INDEX  # which row of the tables stands for which pair of places
        held = tape.live - before
        tape.place = ""
        if buffers:
            tape.allocate(buffers, "buffers")
        return held

    def compute(self, node: Node, inputs: list[Value]) -> Value:
        """The value of a node."""
        tape, op, y = self.tape, node.op, self.numel(node)
        x = inputs[0]
        match op:
            case "conv" | "group_conv":
                return self._convolution(node, x)
            case "deform_conv":
                return self._deformable(node, inputs)
            case "linear" | "tied_linear":
                return self._linear(node, x)
            case "batch_norm":
                own = self.parameters.get(node.name, [])
                # torch's kernel fills a second map of the input's size on its way back
                statistics = 2 * len(node.axis) * FLOAT
                return tape.op([x, *own], y, x.item, save=[x], keep=statistics, back=x.bytes)
            case "layer_norm":
                own = self.parameters.get(node.name, [])
                statistics = 2 * y // len(node.axis) * FLOAT
                return tape.op([x, *own], y, x.item, save=[x], keep=statistics)
            case "relu" | "sigmoid" | "tanh":
                return tape.op([x], y, x.item, save_result=True)
            case "relu6" | "hswish" | "hsigmoid" | "gelu" | "silu" | "avg_pool":
                return tape.op([x], y, x.item, save=[x])
            case "max_pool":
                return tape.op([x], y, x.item, save=[x], keep=y * INDEX)
            case "multiply":
                return tape.op(inputs, y, max(v.item for v in inputs), save=inputs)
            case "scale":
                # the gradient of the gate is summed from a product of the size of the maps
                return tape.op(inputs, y, max(v.item for v in inputs), save=inputs, back=x.bytes)
            case "mean":
                return tape.op([x], y, x.item, scratch=x.numel * FLOAT if x.item == HALF else 0)
            case "resize" if not self.graph.nodes[node.inputs[0]].size:
                return tape.view(x, y, "new")  # expanded, not copied
            case "resize":
                # small maps, and those of images, are computed with channels last and laid out again
                last = sum(node.size) <= VECTOR_EXTENTS or len(node.axis) <= VECTOR_CHANNELS
                return tape.op([x], y, x.item, scratch=x.bytes + y * x.item if last else 0)
            case "shift":
                odd = any(n % 2 for n in self.graph.nodes[node.inputs[0]].size)
                return tape.op([x], y, x.item) if odd else self._sliced(x, y, 2)
            case "row":
                return self._sliced(x, y, 1)
            case "first":
                return self._sliced(x, y, 1)
            case "truncate" if len(node.axis) > len(self.graph.nodes[node.inputs[0]].axis):
                return tape.op([x], y, x.item, rules=("same",))
            case "rest" | "truncate":
                return self._sliced(x, y, 1)
            case "shuffle":
                return tape.op([x], y, x.item)
            case "tokens" | "maps":
                return tape.view(x)
            case "zero":
                return tape.op([], y, x.item)
            case "embedding":
                numbers = self.batch * prod(node.size)
                return tape.op(self.parameters[node.name], y, FLOAT, keep=numbers * INDEX)
            case "class_token":
                rows = self.parameters[node.name]
                # parts of two precisions are brought to the wider before they are joined
                widened = x.numel * FLOAT if x.item == HALF else 0
                return tape.op([x, *rows], y, FLOAT, scratch=widened, rules=("new" if widened else "same", "new"))
            case "position":
                rows = self.parameters[node.name]
                widened = x.item == HALF
                return tape.op([x, *rows], y, FLOAT, rules=("new" if widened else "same", "new"))
            case "attention":
                return self._attention(node, inputs)
            case "average":
                # stacked first; halves are averaged as floats
                item = max(v.item for v in inputs)
                stacked = len(inputs) * y * item
                scratch = stacked + (len(inputs) * y * FLOAT + 2 * y * item if item == HALF else 0)
                return tape.op(inputs, y, item, scratch=scratch)
            case "highway":
                gate = tape.op([x], y, x.item, save_result=True)
                result = tape.op([inputs[2], inputs[1], gate], y, x.item, save=[*inputs[1:], gate], back=y * x.item)
                tape.drop(gate)
                return result
            case _:
                raise ValueError(f"{node.name}: nothing is known of the memory of a {op}")

    # -- maps of numbers

    def halved(self, value: Value) -> Value:
        """What autocast hands to a product: bfloat16, where that is wanted."""
        if self.half and value.item == FLOAT:
            return self.tape.op([value], value.numel, HALF)
        return self.tape.again(value)

    def weights(self, name: str) -> list[Value]:
        """The parameters of a node as its product reads them, to be dropped by nobody."""
        if not self.half:
            return self.parameters[name]
        if name not in self.cast:
            self.cast[name] = [self.tape.op([p], p.numel, HALF) for p in self.parameters[name]]
        return self.cast[name]

    def forget_casts(self) -> None:
        """The end of autocast."""
        for values in self.cast.values():
            self.tape.drop(*values)
        self.cast = {}

    def _sliced(self, x: Value, y: int, dimensions: int) -> Value:
        """A part of a storage; the gradient of each dimension cut is a tensor of zeros around the incoming one."""
        tape = self.tape
        value = tape.view(x, x.numel if dimensions > 1 else y, "new")
        if dimensions > 1:
            inner = tape.view(value, y, "new")
            tape.drop(value)
            return inner
        return value

    def _convolution(self, node: Node, given: Value) -> Value:
        tape, graph = self.tape, self.graph
        source = graph.nodes[node.inputs[0]]
        groups = node["groups"] if node.op == "group_conv" else len(node.axis) if node["depthwise"] else 1
        kernel = (1, 1) if node.op == "group_conv" else tuple(map(len, node["kernel"]))
        stride = (1, 1) if node.op == "group_conv" else node["stride"]
        dilated = node.op == "conv" and node["dilation"] > 1
        own = self.weights(node.name)
        x = self.halved(given)
        y = self.numel(node)
        item = x.item
        pointwise = prod(kernel) == 1
        copied = 0
        if pointwise and stride != (1, 1):  # places are picked first, and laid out for the product
            rows = x.numel // stride[1]
            columns = tape.view(x, rows, "new")
            picked = tape.view(columns, rows // stride[0], "new")
            tape.drop(columns, x)
            x = picked
            copied = x.bytes
        weight = own[0].bytes
        result = y * item
        back = 0
        if pointwise and groups == 1:
            scratch, back = copied, copied
        elif pointwise:  # each group for itself, then joined
            scratch, back = result + x.bytes // groups, x.bytes + result // groups
        elif item == HALF:
            # without bfloat16 units: a matrix of the pixels under the kernel, of the batch where nothing is dilated
            pixels = prod(kernel) * len(source.axis) * self.batch * prod(node.size) * HALF // groups
            matrix = pixels // self.batch if dilated else pixels
            joined = groups > 1
            scratch = matrix + (result + x.bytes // groups if joined else 0)
            back = matrix + (x.bytes if joined else 0)
        else:
            # oneDNN's own layout, channels in blocks: input, weights, and the result before it is laid out again
            blocked_in = _blocked(x.bytes, len(source.axis)) if len(source.axis) >= BLOCK else 0
            blocked_out = _blocked(result, len(node.axis))
            scratch = max(blocked_in + weight + blocked_out - result, blocked_out)
            gradient = 0 if x.maker < 0 else x.bytes
            back = max(blocked_in or x.bytes, x.bytes) + blocked_out + weight
            if dilated:  # oneDNN multiplies by a matrix of one image's pixels, and sums gradients of weights in four
                matrix = prod(kernel) * len(source.axis) // groups * prod(node.size) * item
                back = max(gradient if groups > 1 else back, 4 * weight + matrix)
        value = tape.op([x, *own], y, item, save=[x, own[0]], scratch=scratch, back=back)
        tape.drop(x)
        return value

    def _linear(self, node: Node, given: Value) -> Value:
        x = self.halved(given)
        own = self.weights(node.inputs[1] if node.op == "tied_linear" else node.name)
        # without bfloat16 units a product lays out its factors
        scratch = x.bytes + own[0].bytes if x.item == HALF else 0
        y = self.numel(node)
        value = self.tape.op([x, *own], y, x.item, save=[x, own[0]], scratch=scratch, back=scratch)
        self.tape.drop(x)
        return value

    def _deformable(self, node: Node, inputs: list[Value]) -> Value:
        """Samples under every place of the kernel, and the product with the weights."""
        tape = self.tape
        own = self.weights(node.name)
        places = prod(map(len, node["kernel"]))
        channels = len(self.graph.nodes[node.inputs[0]].axis)
        pixels = self.batch * prod(node.size)
        many = places * pixels
        x, offsets = inputs[0], inputs[1]
        y = self.numel(node)
        # the coordinates: a dozen numbers a sample on the way to the grid, of which (y, x) stay
        grid = tape.op([offsets], 2 * many, FLOAT, scratch=3 * many * FLOAT, back=2 * many * FLOAT)
        wide = tape.op([x], x.numel, FLOAT) if x.item == HALF else tape.view(x)
        samples = tape.op([wide, grid], channels * many, FLOAT, save=[wide, grid], scratch=channels * many * FLOAT)
        if len(inputs) > 2:
            gate = tape.op([inputs[2]], many, inputs[2].item, save_result=True)
            scaled = tape.op([samples, gate], samples.numel, FLOAT, save=[samples, gate], back=samples.bytes)
            tape.drop(samples, gate)
            samples = scaled
        product = self.halved(samples)
        value = tape.op(
            [product, *own],
            y,
            product.item,
            save=[product, own[0]],
            # the batched product lays the weights out for every sample
            scratch=y * product.item,
            back=self.batch * own[0].bytes,
        )
        tape.drop(product, samples, wide, grid)
        return value

    def _attention(self, node: Node, inputs: list[Value]) -> Value:
        given, y = inputs, self.numel(node)
        q, k, v = (self.halved(value) for value in given)
        if node["kind"] == "linear":
            value = self._linear_attention(node, [q, k, v], y)
        elif node["relative"]:
            value = self._relative_attention(node, [q, k, v], y)
        else:
            heads = len(node.axis) // node["head_dim"]
            sums = self.batch * heads * node.size[0] * FLOAT  # logarithms of the sums of each row
            forth, back = _attention_blocks(node.size[0], node["head_dim"], half=q.item == HALF)
            value = self.tape.op(
                [q, k, v],
                y,
                q.item,
                save=[q, k, v],
                keep=sums,
                save_result=True,
                scratch=forth,
                back=back,
            )
        self.tape.drop(q, k, v)
        return value

    def _linear_attention(self, node: Node, inputs: list[Value], y: int) -> Value:
        tape, (q, k, v) = self.tape, inputs
        item, d = q.item, node["head_dim"]
        fq, fk = (tape.op([value], value.numel, item, save_result=True, scratch=value.bytes) for value in (q, k))
        total = tape.op([fq, fk], y // d, item, save=[fq, fk])
        context = tape.op([fk, v], self.batch * len(node.axis) * d, item, save=[fk, v], scratch=v.bytes)
        product = tape.op([fq, context], y, item, save=[fq, context], scratch=y * item)
        ratio = tape.op([product, total], y, item, save=[product, total], back=y * item)
        value = tape.op([ratio], y, item)
        tape.drop(fq, fk, total, context, product, ratio)
        return value

    def _relative_attention(self, node: Node, inputs: list[Value], y: int) -> Value:
        tape, (q, k, v) = self.tape, inputs
        item, d, tokens = q.item, node["head_dim"], node.size[0]
        heads = len(node.axis) // d
        pairs, scores = tokens * tokens * d, self.batch * heads * tokens * tokens
        tables = self.parameters[node.name]
        ways: list[Value] = []
        for rows, columns in (tables[:2], tables[2:]):
            way = tape.op([rows, columns], pairs, FLOAT, scratch=2 * pairs * FLOAT)
            ways.append(self.halved(way))
            tape.drop(way)
        keys, values = ways
        content = tape.op([q, k], scores, item, save=[q, k], scratch=q.bytes + k.bytes)
        place = tape.op([q, keys], scores, item, save=[q, keys], scratch=q.bytes)
        summed = tape.op([content, place], scores, item, rules=("same", "same"))
        tape.drop(content, place)
        scaled = tape.op([summed], scores, item)
        tape.drop(summed)
        weights = tape.op([scaled], scores, FLOAT if self.half else item, save_result=True)
        tape.drop(scaled)
        factors = self.halved(weights)
        tape.drop(weights)
        seen = tape.op([factors, v], y, item, save=[factors, v], scratch=y * item)
        by_place = tape.op([factors, values], y, item, save=[factors, values], scratch=y * item)
        out = tape.op([seen, by_place], y, item, rules=("same", "same"))
        value = tape.op([out], y, item)
        tape.drop(factors, seen, by_place, out, keys, values)
        return value


def _attention_blocks(tokens: int, head_dim: int, *, half: bool) -> tuple[int, int]:
    """Bytes that torch's flash attention holds at once, forward and backward: rows by columns of scores.

    Backward there are gradients of scores beside them; of halves, both once more as factors of the next product.
    """
    rows = next(rows for least, rows in ROWS if tokens >= least)
    scores = rows * min(COLUMNS, tokens)
    item = FLOAT + HALF if half else FLOAT
    return scores * item + rows * (2 + head_dim) * FLOAT, 2 * scores * item


def _blocked(size: int, channels: int) -> int:
    """Bytes of maps whose channels are filled up to whole blocks."""
    return size * (-(-channels // BLOCK) * BLOCK) // channels
