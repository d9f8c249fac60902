"""The parts of a file that no architecture changes: what torch lacks, and how weights are read."""

import re
from collections.abc import Mapping

PIECES: Mapping[str, str] = {
    "zeros": '''
def zeros(x, width, stride=1):
    """(B, C, ...) -> zeros (B, width, ...), the extents over the stride."""
    return x.new_zeros(len(x), width, *[(n - 1) // stride + 1 for n in x.shape[2:]])
''',
    "widened": '''
def widened(x, beyond):
    """(B, C, ...) -> (B, C + beyond, ...), zeros after the channels."""
    return torch.cat([x, x.new_zeros(len(x), beyond, *x.shape[2:])], 1)
''',
    "shift": '''
def shift(x):
    """Maps without their first row and column; odd extents are padded at the far end."""
    height, width = x.shape[2:]
    return F.pad(x[:, :, 1:, 1:], (0, width % 2, 0, height % 2))
''',
    "attention": '''
def attention(q, k, v, head_dim):
    """Softmax attention in heads: (B, N, heads * head_dim); keys and values of one head serve all queries."""
    q, k, v = (x.unflatten(-1, (-1, head_dim)).transpose(1, 2) for x in (q, k, v))
    k, v = k.expand(-1, q.shape[1], -1, -1), v.expand(-1, q.shape[1], -1, -1)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
''',
    "linear_attention": '''
def linear_attention(q, k, v, head_dim):
    """Attention of linear cost in heads: (B, N, heads * head_dim) (Katharopoulos et al., 2020)."""
    q, k, v = (x.unflatten(-1, (-1, head_dim)).transpose(1, 2) for x in (q, k, v))
    q, k = F.elu(q) + 1, F.elu(k) + 1
    total = q @ k.sum(-2)[..., None]
    return (q @ (k.transpose(-2, -1) @ v) / total).transpose(1, 2).flatten(2)
''',
    "RelativeAttention": '''
class RelativeAttention(nn.Module):
    """Softmax attention with learnt rows for distances on a grid, of keys and of values (Shaw et al., 2018)."""

    def __init__(self, head_dim, relative, grid, lead):
        super().__init__()
        self.head_dim = head_dim
        for name in ("key_rows", "key_columns", "value_rows", "value_columns"):
            table = nn.Parameter(torch.empty(2 * relative + 2, head_dim))
            setattr(self, name, nn.init.trunc_normal_(table, std=0.02))
        places = torch.arange(grid[0] * grid[1])
        for name, at in (("by_rows", places // grid[1]), ("by_columns", places % grid[1])):
            distance = (at[None, :] - at[:, None]).clamp(-relative, relative) + relative + 1
            self.register_buffer(name, F.pad(distance, (lead, 0, lead, 0)), persistent=False)

    def forward(self, q, k, v):
        q, k, v = (x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for x in (q, k, v))
        keys = self.key_rows[self.by_rows] + self.key_columns[self.by_columns]  # (N, N, head_dim)
        values = self.value_rows[self.by_rows] + self.value_columns[self.by_columns]
        scores = q @ k.transpose(-2, -1) + torch.einsum("bhnd,nmd->bhnm", q, keys)
        weights = (scores * self.head_dim**-0.5).softmax(-1)
        out = weights @ v + torch.einsum("bhnm,nmd->bhnd", weights, values)
        return out.transpose(1, 2).flatten(2)
''',
    "DeformableConv": '''
class DeformableConv(nn.Conv2d):
    """A convolution that reads the maps at learnt offsets (Dai et al., 2017), scaled too (Zhu et al., 2019)."""

    def forward(self, x, offsets, modulations=None):
        batch, channels, *extents = x.shape
        rows, columns = offsets.shape[2:]
        places = offsets.shape[1] // 2
        moved = offsets.reshape(batch, places, 2, rows, columns)
        steps = torch.meshgrid(*(self.steps(i, offsets) for i in (0, 1)), indexing="ij")
        corners = [torch.arange(n, device=x.device) * s for n, s in zip((rows, columns), self.stride)]
        corners = torch.meshgrid(*corners, indexing="ij")
        at = [corners[i] + steps[i].reshape(-1, 1, 1) + moved[:, :, i] for i in (0, 1)]
        grid = torch.stack([(2 * at[i] + 1) / extents[i] - 1 for i in (1, 0)], -1)  # pixels are areas of [-1, 1]
        grid = grid.reshape(batch, places * rows, columns, 2).to(x.dtype)
        samples = F.grid_sample(x, grid, "bilinear", "zeros", align_corners=False)
        samples = samples.reshape(batch, channels, places, rows, columns)
        if modulations is not None:
            samples = samples * modulations.sigmoid()[:, None]
        weight = self.weight.reshape(self.out_channels, channels * places)
        return (weight @ samples.reshape(batch, channels * places, rows * columns)).reshape(batch, -1, rows, columns)

    def steps(self, direction, like):
        n, d = self.kernel_size[direction], self.dilation[direction]
        return (torch.arange(n, device=like.device) - (n - 1) // 2) * d
''',
    "ClassToken": '''
class ClassToken(nn.Module):
    """A learnt token before the others."""

    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(nn.init.trunc_normal_(torch.empty(features), std=0.02))

    def forward(self, x):
        return torch.cat([self.weight.expand(len(x), 1, -1), x], 1)
''',
    "Position": '''
class Position(nn.Module):
    """A learnt row for each place; a sequence may be shorter than the table."""

    def __init__(self, rows, features):
        super().__init__()
        self.weight = nn.Parameter(nn.init.trunc_normal_(torch.empty(rows, features), std=0.02))

    def forward(self, x):
        return x + self.weight[: x.shape[1]]
''',
}

LOADING = '''
    @torch.no_grad()
    def load_weights(self, source):
        """Take over the weights in a file of the catalogue (safetensors), or of torch, or in a state dict.

        Returns what the file's header says besides: how the input was normalised, what was measured.
        """
        tensors, record = (source, {}) if hasattr(source, "items") else read_weights(source)
        counts = "num_batches_tracked"
        own = {plain(name): tensor for name, tensor in self.state_dict().items() if not name.endswith(counts)}
        given = {}
        for name, tensor in tensors.items():
            place, _, kind = name.removeprefix("parts.").rpartition(".")
            if kind != counts:
                given[plain(f"{RENAMED.get(place, place)}.{kind}")] = tensor
        wrong = sorted(own.keys() ^ given.keys())
        wrong += [name for name in own.keys() & given.keys() if own[name].shape != given[name].shape]
        if wrong:
            raise ValueError(f"{len(wrong)} tensors do not fit this network, {wrong[:5]} among them")
        for name, tensor in own.items():
            tensor.copy_(given[name])
        return record
'''

READING = '''
def plain(name):
    """A name in words alone: that of a tensor in the catalogue and that of its parameter here agree."""
    words = re.findall("[A-Za-z0-9]+", name)
    return "_".join(word[4:] if word.startswith("part") and word[4:].isdigit() else word for word in words)


def read_weights(path):
    """Tensors by name and the record in the header, of a safetensors file; of a file of torch there is no record."""
    with open(path, "rb") as file:
        start = file.read(8)
        if start.startswith(b"PK"):
            return torch.load(path, map_location="cpu", weights_only=True), {}
        header = json.loads(file.read(int.from_bytes(start, "little")))
        data = bytearray(file.read())
    record = json.loads(header.pop("__metadata__", {}).get("cellar", "{}"))
    types = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        values = torch.frombuffer(data[first:last], dtype=types[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors, record
'''


def pieces_in(text: str) -> list[str]:
    """The pieces that a text calls, in their order, as text."""
    return [piece for name, piece in PIECES.items() if re.search(rf"(?<![\w.]){name}\(", text)]
