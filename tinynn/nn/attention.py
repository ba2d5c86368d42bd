"""Attention layers: MultiheadAttention, TransformerBlock, PatchEmbedding. Tokens are rows: x (N, T, d), T tokens of d numbers.

    embedding = nn.PatchEmbedding(28, 7, 1, 64)                             # 28 × 28 grey images, in patches of 7 × 7
    blocks = nn.Sequential(*[nn.TransformerBlock(64, 8, 128) for _ in range(6)])
    norm, head = nn.LayerNorm(64), nn.Linear(64, 10)
    logits = head(norm(blocks(embedding(images))[:, 0]))                    # (N, 1, 28, 28) -> (N, 17, 64) -> (N, 10)

is a vision transformer (ViT): equations 1 to 4 of Dosovitskiy et al. 2021, An image is worth 16×16 words, one line each.
ops/attention.py has the maths. To look at a block's weights: `h = block.norm1(x); _, weights = block.self_attn(h, h, h)`.
"""
import numpy as np

from ..arguments import check_count
from ..autograd.settings import default_dtype, default_rng
from ..autograd.tensor import Tensor
from ..ops import broadcast_to, concatenate, gelu, linear, matmul, mean, reshape, transpose
from ..ops.attention import attention, attention_weights, self_attention
from .layers import Dropout, Linear
from .module import Array, Module, Parameter, as_input
from .normalization import LayerNorm


class MultiheadAttention(Module):
    """Each head projects tokens to queries, keys and values of its own, attends, and all heads' results are mixed.

    With W_q, W_k, W_v the thirds of in_proj_weight: q, k, v = query W_qᵀ, key W_kᵀ, value W_vᵀ (+ biases), split into `heads`
    pieces of d/heads numbers; each piece: softmax(q kᵀ/√(d/heads) + mask) v; the pieces side by side: times out_proj.

    d: numbers in a token. heads: must divide d; 4 to 16 is usual. rng: for the initial values; None (default): the default
    Generator. Attributes, as PyTorch's: in_proj_weight (3d, d), Xavier-uniform, in_proj_bias (3d,), 0, and the Linear
    out_proj, of bias 0. Raises ValueError for heads that don't divide d. Vaswani et al. 2017, Attention is all you need, 3.2.
    """

    def __init__(self, d: int, heads: int, rng=None):
        check_count("MultiheadAttention: d", d)
        check_count("MultiheadAttention: heads", heads)
        if d % heads:
            raise ValueError(f"MultiheadAttention: d is {d}, heads is {heads}; heads must divide d: each takes an equal piece")
        rng, bound, dtype = default_rng(rng), np.sqrt(6 / (d + 3 * d)), default_dtype()
        self.heads = heads
        self.in_proj_weight = Parameter(rng.uniform(-bound, bound, (3 * d, d)).astype(dtype))
        self.in_proj_bias = Parameter(np.zeros(3 * d, dtype))
        self.out_proj = Linear(d, d, rng=rng)
        self.out_proj.bias.data = np.zeros(d, dtype)

    def forward(self, query: Array, key: Array, value: Array, mask=None, need_weights: bool = True) -> tuple:
        """query: (N, T, d), key and value: (N, S, d); the same array three times is self-attention. Returns (output, weights):

        output (N, T, d); weights (N, T, S), the mean over heads. need_weights=False: None in their place, and half the time.
        mask: bool, True where a query must *not* look at a key, or numbers to add to the scores; (T, S) for all, or four axes
        that broadcast to (N, heads, T, S): for padding, (N, 1, 1, S). Raises ValueError for other shapes, three axes among
        them, which might be one for each example or for each head, and for a mask that leaves a query nothing to look at.
        """
        d, = self.out_proj.bias.shape
        x = [as_input(a, self.in_proj_weight.dtype) for a in (query, key, value)]
        self.check(x, d, np.shape(mask))
        if query is key is value and not need_weights:
            z = linear(x[0], self.in_proj_weight, self.in_proj_bias)                # (N, T, d) -> (N, T, 3d)
            return self.out_proj(self_attention(z, self.heads, mask)), None
        q, k, v = (self.split(linear(a, self.in_proj_weight[i:i + d], self.in_proj_bias[i:i + d]))
                   for a, i in zip(x, (0, d, 2 * d)))
        weights = attention_weights(q, k, mask) if need_weights else None           # (N, h, T, S)
        y = attention(q, k, v, mask) if weights is None else matmul(weights, v)     # (N, h, T, d/h)
        y = reshape(transpose(y, (0, 2, 1, 3)), x[0].shape)                         # -> (N, T, h, d/h) -> (N, T, d)
        return self.out_proj(y), None if weights is None else mean(weights, 1)      # (N, h, T, S) -> (N, T, S)

    def split(self, x):
        """(N, T, d) -> (N, T, h, d/h) -> (N, h, T, d/h)."""
        N, T, d = x.shape
        return transpose(reshape(x, (N, T, self.heads, d // self.heads)), (0, 2, 1, 3))

    def check(self, x, d, mask):
        """Raise ValueError unless the shapes of query, key and value fit, or for a mask of three axes."""
        shapes = [a.shape for a in x]
        fits = all(len(shape) == 3 and shape[2] == d and shape[1] > 0 and shape[0] == shapes[0][0] for shape in shapes)
        if not fits or shapes[1] != shapes[2]:
            raise ValueError(f"MultiheadAttention: query, key, value have shapes {', '.join(map(str, shapes))}; expected "
                             f"(N, T, {d}), (N, S, {d}), (N, S, {d}): examples, at least one token, numbers; x[None] makes a "
                             "batch of one")
        if len(mask) == 3:
            raise ValueError(f"MultiheadAttention: mask has shape {mask}, and three axes are ambiguous; for one mask per "
                             "example pass mask[:, None], for one per head mask[None], and for PyTorch's (N · heads, T, S) "
                             f"mask.reshape(N, {self.heads}, T, S)")

    def __repr__(self):
        return f"MultiheadAttention({self.out_proj.bias.size}, {self.heads})"


class TransformerBlock(Module):
    """Tokens look at each other, then each goes through a small network; both only add to what is there.

        x ← x + self_attn(norm1(x)),    x ← x + linear2(gelu(linear1(norm2(x))))            x: (N, T, d)

    Normalisation comes first ("pre-norm"), so that from the last block to the first there is a path of sums alone, along which
    gradients neither vanish nor explode: training needs no warm-up.

    d: numbers in a token. heads: see MultiheadAttention. mlp_dim: hidden units of the network; 2d to 4d is usual.
    dropout: probability, default 0; of what each part adds, and of the hidden units. rng: as everywhere.
    Attributes self_attn, linear1, linear2, norm1, norm2: the names of PyTorch's TransformerEncoderLayer(d, heads, mlp_dim,
    activation="gelu", batch_first=True, norm_first=True), whose state dicts load. Dosovitskiy et al. 2021, eqs. 2 and 3.
    """

    def __init__(self, d: int, heads: int, mlp_dim: int, dropout: float = 0.0, rng=None):
        rng = None if rng is None else default_rng(rng)             # one Generator for all parts, also of a seed
        self.self_attn = MultiheadAttention(d, heads, rng)
        self.linear1, self.linear2 = Linear(d, mlp_dim, rng=rng), Linear(mlp_dim, d, rng=rng)
        self.norm1, self.norm2 = LayerNorm(d), LayerNorm(d)
        self.dropout = Dropout(dropout, rng)

    def forward(self, x: Array, mask=None) -> Tensor:
        """x: (N, T, d) -> (N, T, d). mask: see MultiheadAttention.forward."""
        x = as_input(x, self.linear1.weight.dtype)
        h = self.norm1(x)
        x = x + self.dropout(self.self_attn(h, h, h, mask, need_weights=False)[0])
        h = self.dropout(gelu(self.linear1(self.norm2(x))))                         # (N, T, d) -> (N, T, mlp_dim)
        return x + self.dropout(self.linear2(h))                                    # (N, T, mlp_dim) -> (N, T, d)


class PatchEmbedding(Module):
    """Images as tokens: cut into patches, each mapped to d numbers; a class token in front; learned positions added to all.

    (N, C, H, W) -> (N, 1 + T, d), T = (H/patch)(W/patch): patches row by row, from the top left. The class token is one for
    all images; what it collects on its way through the blocks is what a classifier reads.

    image_size: H = W, or the pair (H, W). patch: the side of a patch; must divide both. channels: C. d: numbers in a token.
    Attributes: proj, the Linear (patches as rows, channel by channel), class_token (1, 1, d), 0, and positions (1, 1 + T, d),
    normal with standard deviation 0.02. Dosovitskiy et al. 2021, eq. 1.
    Raises ValueError for a patch that does not divide the image, or images of another shape.
    """

    def __init__(self, image_size: int | tuple, patch: int, channels: int, d: int, rng=None):
        H, W = (image_size, image_size) if isinstance(image_size, (int, np.integer)) else image_size
        if patch < 1 or min(H, W) < 1 or H % patch or W % patch:
            raise ValueError(f"PatchEmbedding: image_size is {image_size}, patch is {patch}; patches must fill the image")
        rng, dtype = default_rng(rng), default_dtype()
        self.shape, self.patch = (channels, H, W), patch
        self.proj = Linear(channels * patch * patch, d, rng=rng)
        self.class_token = Parameter(np.zeros((1, 1, d), dtype))
        self.positions = Parameter(rng.normal(0, 0.02, (1, 1 + (H // patch) * (W // patch), d)).astype(dtype))

    def forward(self, x: Array) -> Tensor:
        x, (C, H, W), p = as_input(x, self.proj.weight.dtype), self.shape, self.patch
        if x.shape[1:] != self.shape:
            last = x.ndim == 4 and x.shape[1:] == (H, W, C)
            raise ValueError(f"PatchEmbedding: x has shape {x.shape}; expected (N, {C}, {H}, {W})"
                             + (": channels come first: x.transpose(0, 3, 1, 2)" if last else ""))
        N = len(x)
        x = transpose(reshape(x, (N, C, H // p, p, W // p, p)), (0, 2, 4, 1, 3, 5))         # -> (N, H/p, W/p, C, p, p)
        tokens = self.proj(reshape(x, (N, (H // p) * (W // p), C * p * p)))                 # -> (N, T, C·p·p) -> (N, T, d)
        first = broadcast_to(self.class_token, (N, 1, tokens.shape[2]))
        return concatenate([first, tokens], axis=1) + self.positions                        # (N, 1 + T, d)

    def __repr__(self):
        (C, H, W), d = self.shape, self.proj.bias.size
        return f"PatchEmbedding(({H}, {W}), {self.patch}, {C}, {d})"
