"""Winograd's convolution, for 3 × 3 windows with stride 1, in float32: 16 multiplications where im2col has 36.

Two outputs side by side, from four inputs d and three weights w, take 4 multiplications instead of 6:
    m₁ = (d₀ − d₂) w₀,   m₂ = (d₁ + d₂)(w₀ + w₁ + w₂)/2,   m₃ = (d₂ − d₁)(w₀ − w₁ + w₂)/2,   m₄ = (d₁ − d₃) w₂
    y₀ = d₀w₀ + d₁w₁ + d₂w₂ = m₁ + m₂ + m₃,     y₁ = d₁w₀ + d₂w₁ + d₃w₂ = m₂ − m₃ − m₄
or y = Aᵀ[(G w) ⊙ (Bᵀ d)]       (Winograd 1980; Lavin & Gray 2016, Fast algorithms for convolutional neural networks, eq. 7).
In two dimensions, tile by tile of 4 × 4 inputs d and 2 × 2 outputs: Y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ d B)] A, with

          [1  0 -1  0]          [1    0    0]           [1   1   1   0]
    Bᵀ =  [0  1  1  0]     G =  [1/2  1/2  1/2]    Aᵀ = [0   1  -1  -1]
          [0 -1  1  0]          [1/2 -1/2  1/2]
          [0  1  0 -1]          [0    0    1]

Bᵀ and Aᵀ cost additions alone. Summed over the channels, ⊙ becomes, for each of the 16 places, a product of matrices:
M = U Vᵀ, (O, C) @ (C, tiles), with V = Bᵀ d B of every tile and U = G w Gᵀ. For the gradient of the weights everything runs
the other way: dM = A dY Aᵀ, dU = dM V, dw = Gᵀ dU G. (The gradient of the inputs is a convolution with turned weights.)
As inputs are subtracted from each other, infinity, and finite numbers near the largest float, may come out as NaN.

The references are convolution.py's; read that first. x (N, C, H, W), W (O, C, 3, 3), y (N, O, Ho, Wo), paddings ph, pw.
V has its channels last, M and dM their tiles, so that all additions go through memory in order. Threads share out the
images, BLOCK at a time: so few that all this stays in a core's cache. For the gradient of the weights a thread takes up to
PART, or there are too many sums to add up.
"""
import numpy as np

from . import convolution
from .registry import helper, kernel, prange

BLOCK, PART = 2, 16         # images: that share a product; that share a sum of gradients of the weights
FIRST, SECOND = (0, 1, 2, 1), (2, 2, 1, 3)                      # Bᵀ: row r is d[FIRST] + SIGN · d[SECOND]
SIGN = np.float32(-1), np.float32(1), np.float32(-1), np.float32(-1)
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
GG = np.kron(G, G)                                              # (16, 9): G w Gᵀ, flattened, is GG times w, flattened


@kernel
def forward(x, W, b, ph, pw):
    """y (N, O, Ho, Wo). b (O,), added to it."""
    return convolution.forward.reference(x, W, b, 1, 1, ph, pw)


@forward.numba(parallel=True, fastmath={"contract"})
def _(x, W, b, ph, pw):
    (N, C, H, width), (O, _, _, _) = x.shape, W.shape
    Ho, Wo = H + 2 * ph - 2, width + 2 * pw - 2
    th, tw = (Ho + 1) // 2, (Wo + 1) // 2                       # tiles, down and across
    y, U = np.empty((N, O, Ho, Wo), x.dtype), weights(W)
    for block in prange((N + BLOCK - 1) // BLOCK):
        start, stop = block * BLOCK, min(block * BLOCK + BLOCK, N)
        tiles = (stop - start) * th * tw
        V, M = np.empty((16, tiles, C), x.dtype), np.empty((16, O, tiles), x.dtype)
        inputs(x, start, stop, ph, pw, th, tw, V)
        for k in range(16):
            np.dot(U[k].T, V[k].T, M[k])                        # (O, C) @ (C, tiles) -> (O, tiles)
        outputs(M, b, start, stop, th, tw, y)
    return y


def to_input(g, W, H, width, ph, pw):
    """dL/dx (N, C, H, width) from g = dL/dy (N, O, Ho, Wo), paddings up to 2: the same sum, as the input sees it."""
    turned = np.ascontiguousarray(W[:, :, ::-1, ::-1].swapaxes(0, 1))
    return forward(g, turned, np.zeros(len(turned), g.dtype), 2 - ph, 2 - pw)


@kernel
def to_weight(x, g, ph, pw):
    """dL/dW (O, C, 3, 3) from g = dL/dy (N, O, Ho, Wo)."""
    return convolution.to_weight.reference(x, g, 3, 3, 1, 1, ph, pw)


@to_weight.numba(parallel=True, fastmath={"contract"})
def _(x, g, ph, pw):
    (N, C, _, _), (_, O, Ho, Wo) = x.shape, g.shape
    th, tw = (Ho + 1) // 2, (Wo + 1) // 2
    size = max(BLOCK, min(PART, (N + 1) // 2))                  # at least two parts, or a second thread has nothing to do
    parts = (N + size - 1) // size
    dU = np.empty((parts, 16, O, C), x.dtype)
    for part in prange(parts):
        first, end, product = part * size, min(part * size + size, N), np.empty((O, C), x.dtype)
        for start in range(first, end, BLOCK):
            stop = min(start + BLOCK, end)
            tiles = (stop - start) * th * tw
            V, dM = np.empty((16, tiles, C), x.dtype), np.empty((16, O, tiles), x.dtype)
            inputs(x, start, stop, ph, pw, th, tw, V)
            gradients(g, start, stop, th, tw, dM)
            for k in range(16):
                total = dU[part, k]
                np.dot(dM[k], V[k], total if start == first else product)       # (O, tiles) @ (tiles, C) -> (O, C)
                if start > first:
                    total += product
    return weight_gradients(dU)


@helper
def weights(W):
    """U = G w Gᵀ for all weights, its two last axes swapped: (O, C, 3, 3) -> (16, C, O).

    The product of two transposed small matrices is half as fast again in OpenBLAS as that with one transposed.
    """
    O, C, _, _ = W.shape
    columns = W.transpose(1, 0, 2, 3).copy().reshape(C * O, 9)
    return np.dot(GG, columns.T).reshape(16, C, O)              # (16, 9) @ (9, C·O) -> (16, C·O)


@helper
def weight_gradients(dU):
    """dw = Gᵀ dU G, summed over the parts: (parts, 16, O, C) -> (O, C, 3, 3)."""
    _, _, O, C = dU.shape
    flat = np.dot(GG.T, dU.sum(0).reshape(16, O * C))           # (9, 16) @ (16, O·C) -> (9, O·C)
    return flat.T.copy().reshape(O, C, 3, 3)


@helper
def inputs(x, start, stop, ph, pw, th, tw, V):
    """V (16, tiles, C) ← Bᵀ d B of the tiles of images start ... stop − 1, zeros outside the images.

    A line of an image has its even columns first, then its odd ones, all with their channels: what is the first (second,
    third, fourth) column of each tile of a row then lies side by side, and the additions run through memory in order.
    """
    _, C, H, width = x.shape
    half, run = (tw + 1) * C, tw * C                            # of a line; of a row of tiles
    padded, row, flat = np.zeros((2 * th + 2, 2 * half), x.dtype), np.empty(2 * half, x.dtype), V.reshape(16, -1)
    place = np.array([(w + pw) % 2 * half + (w + pw) // 2 * C for w in range(width)])
    for n in range(start, stop):
        for h in range(H):                                      # (C, H, W) -> (H, 2, W/2, C), with a margin
            for c in range(C):
                for w in range(width):
                    padded[h + ph, place[w] + c] = x[n, c, h, w]
        for i in range(th):
            at = ((n - start) * th + i) * run
            for r in range(4):
                a, b, sign = padded[2 * i + FIRST[r]], padded[2 * i + SECOND[r]], SIGN[r]
                for e in range(2 * half):                       # Bᵀ d, row r, of a whole row of tiles
                    row[e] = a[e] + sign * b[e]
                for q in range(4):                              # (Bᵀ d) B
                    sign, out = SIGN[q], flat[4 * r + q, at:at + run]
                    a = row[FIRST[q] % 2 * half + FIRST[q] // 2 * C:][:run]
                    b = row[SECOND[q] % 2 * half + SECOND[q] // 2 * C:][:run]
                    for e in range(run):
                        out[e] = a[e] + sign * b[e]


@helper
def outputs(M, bias, start, stop, th, tw, y):
    """y of the images start ... stop − 1 ← Aᵀ M A + bias. M (16, O, tiles) is destroyed.

    What is side by side in y is first put so in `pairs`, for all tiles in one go; then whole lines are copied.
    """
    _, O, Ho, Wo = y.shape
    M, pairs = M.reshape(4, 4, -1), np.empty((O * (stop - start) * th * tw, 2), y.dtype)
    lines = pairs.reshape(O, stop - start, th, 2 * tw)
    for j in range(4):                                          # Aᵀ M, into M[0] and M[1]
        a, b, c, d = M[0, j], M[1, j], M[2, j], M[3, j]
        for e in range(len(a)):
            a[e], b[e] = a[e] + b[e] + c[e], b[e] - c[e] - d[e]
    for h in range(2):                                          # (Aᵀ M) A, its line h of all tiles
        a, b, c, d = M[h, 0], M[h, 1], M[h, 2], M[h, 3]
        for e in range(len(pairs)):
            pairs[e, 0], pairs[e, 1] = a[e] + b[e] + c[e], b[e] - c[e] - d[e]
        for o in range(O):
            for n in range(start, stop):
                for i in range((Ho - h + 1) // 2):              # lines 2i + h < Ho, without what lies beyond an odd edge
                    given, taken = lines[o, n - start, i], y[n, o, 2 * i + h]
                    for j in range(Wo):
                        taken[j] = given[j] + bias[o]


@helper
def gradients(g, start, stop, th, tw, dM):
    """dM (16, O, tiles) ← A dY Aᵀ of the images start ... stop − 1; what lies beyond an odd edge counts as zero."""
    _, O, Ho, Wo = g.shape
    dM, pairs = dM.reshape(4, 4, -1), np.zeros((O * (stop - start) * th * tw, 2), g.dtype)
    lines = pairs.reshape(O, stop - start, th, 2 * tw)
    for h in range(2):                                          # dY Aᵀ, line h of all tiles: (p, q) -> (p, p + q, p - q, -q)
        for o in range(O):
            for n in range(start, stop):
                for i in range((Ho - h + 1) // 2):
                    given, taken = g[n, o, 2 * i + h], lines[o, n - start, i]
                    for j in range(Wo):
                        taken[j] = given[j]
                lines[o, n - start, (Ho - h + 1) // 2:] = 0
        a, b, c, d = dM[h, 0], dM[h, 1], dM[h, 2], dM[h, 3]
        for e in range(len(pairs)):
            p, q = pairs[e, 0], pairs[e, 1]
            a[e], b[e], c[e], d[e] = p, p + q, p - q, -q
    for j in range(4):                                          # A (dY Aᵀ)
        a, b, c, d = dM[0, j], dM[1, j], dM[2, j], dM[3, j]
        for e in range(len(a)):
            p, q = a[e], b[e]
            b[e], c[e], d[e] = p + q, p - q, -q
