"""Winograd's convolution, for 4 × 4 windows with stride 2, in float32: 36 multiplications where im2col has 64.

These are the windows of a DCGAN. With stride 2 the even lines of a window only ever see even lines of the padded image, the
odd ones odd lines, and so do columns. Cut into the four planes of even or odd lines and columns, an image of C channels has
4C of half the size, and the windows are 2 × 2 with stride 1. For these, tile by tile of 3 × 3 inputs d and 2 × 2 outputs,
    Y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ d B)] A       (winograd.py has the idea, and the sources; read it first), with

          [1 -1  0]         [1  0]
    Bᵀ =  [0  1  0]     G = [1  1]      Aᵀ = [1  1  0]
          [0  1 -1]         [0  1]           [0  1 -1]

Summed over the channels, ⊙ becomes, for each of the 9 places, a product of matrices. With V = Bᵀ d B and U = G w Gᵀ:

    M = V Uᵀ    (tiles, 4C) @ (4C, O)        dV = dM U, dd = B dV Bᵀ        dU = dMᵀ V, dw = Gᵀ dU G        dM = A dY Aᵀ

The references are convolution.py's. x (N, C, H, W), W (O, C, 4, 4), y (N, O, Ho, Wo), paddings ph, pw. Everything between has
its channels last, so that additions go through memory in order. Threads share out the images, so many at a time as have some
TILES; a sum of gradients of the weights goes over PART of them, where that is more, or there are too many sums to add up.
Helpers get V and M whole, and the tile t at which an image begins: of a slice V[:, t:] the compiler does not know that its
numbers lie side by side, and takes one at a time instead of sixteen. (A line that no window sees is multiplied by 0 here: if
it is infinite, y is NaN.)
"""
import numpy as np

from . import convolution
from .registry import helper, kernel, prange

TILES = 128             # in a product: with fewer BLAS is slower, and with more V and M lie far from the core
PART = 16               # images
FIRST, SECOND, SIGN = (0, 1, 1), (1, 1, 2), np.array([-1, 0, -1], np.float32)       # Bᵀ: row r is d[FIRST] + SIGN · d[SECOND]
A = np.array([[1, 0], [1, 1], [0, -1]], np.float32)
GG = np.abs(np.kron(A, A))                              # (9, 4): G is |A|, and G w Gᵀ, flattened, GG times w, flattened


@kernel
def forward(x, W, b, ph, pw):
    """y (N, O, Ho, Wo). b (O,), added to it."""
    return convolution.forward.reference(x, W, b, 2, 2, ph, pw)


@forward.numba(parallel=True, fastmath={"contract"})
def _(x, W, b, ph, pw):
    (N, C, H, width), (O, _, _, _) = x.shape, W.shape
    Ho, Wo = (H + 2 * ph) // 2 - 1, (width + 2 * pw) // 2 - 1
    y, U, T, size = np.empty((N, O, Ho, Wo), x.dtype), np.empty((9, O, 4 * C), x.dtype), tiles(Ho, Wo), images(N, Ho, Wo)
    for o in prange(O):
        weights(W[o], o, U)
    for block in prange((N + size - 1) // size):
        start, stop = block * size, min(block * size + size, N)
        V, M = np.empty((9, (stop - start) * T, 4 * C), x.dtype), np.empty((9, (stop - start) * T, O), x.dtype)
        planes = no_planes(Ho, Wo, C, x)
        for n in range(start, stop):
            to_planes(x[n], planes, ph, pw)
            inputs(planes, (n - start) * T, V)
        for k in range(9):
            np.dot(V[k], U[k].T, M[k])                          # (tiles, 4C) @ (4C, O) -> (tiles, O)
        for n in range(start, stop):
            outputs(M, (n - start) * T, b, y[n])
    return y


@kernel
def to_input(g, W, H, width, ph, pw):
    """dL/dx (N, C, H, width) from g = dL/dy (N, O, Ho, Wo)."""
    return convolution.to_input.reference(g, W, H, width, 2, 2, ph, pw)


@to_input.numba(parallel=True, fastmath={"contract"})
def _(g, W, H, width, ph, pw):
    (N, O, Ho, Wo), (_, C, _, _) = g.shape, W.shape
    dx, U, T, size = np.empty((N, C, H, width), g.dtype), np.empty((9, O, 4 * C), g.dtype), tiles(Ho, Wo), images(N, Ho, Wo)
    for o in prange(O):
        weights(W[o], o, U)
    for block in prange((N + size - 1) // size):
        start, stop = block * size, min(block * size + size, N)
        dV, dM = np.empty((9, (stop - start) * T, 4 * C), g.dtype), np.empty((9, (stop - start) * T, O), g.dtype)
        planes = no_planes(Ho, Wo, C, g)
        for n in range(start, stop):
            gradients(g[n], (n - start) * T, dM)
        for k in range(9):
            np.dot(dM[k], U[k], dV[k])                          # (tiles, O) @ (O, 4C) -> (tiles, 4C)
        for n in range(start, stop):
            input_gradients(dV, (n - start) * T, planes)
            from_planes(planes, dx[n], ph, pw)
    return dx


@kernel
def to_weight(x, g, ph, pw):
    """dL/dW (O, C, 4, 4) from g = dL/dy (N, O, Ho, Wo)."""
    return convolution.to_weight.reference(x, g, 4, 4, 2, 2, ph, pw)


@to_weight.numba(parallel=True, fastmath={"contract"})
def _(x, g, ph, pw):
    (N, C, _, _), (_, O, Ho, Wo) = x.shape, g.shape
    T, size, dW = tiles(Ho, Wo), images(N, Ho, Wo), np.empty((O, C, 4, 4), x.dtype)
    share = max(size, min(PART, (N + 1) // 2))
    parts = (N + share - 1) // share
    dU = np.empty((parts, 9, O, 4 * C), x.dtype)
    for part in prange(parts):
        first, end = part * share, min(part * share + share, N)
        product, planes = np.empty((O, 4 * C), x.dtype), no_planes(Ho, Wo, C, x)
        for start in range(first, end, size):
            stop = min(start + size, end)
            V, dM = np.empty((9, (stop - start) * T, 4 * C), x.dtype), np.empty((9, (stop - start) * T, O), x.dtype)
            for n in range(start, stop):
                to_planes(x[n], planes, ph, pw)
                inputs(planes, (n - start) * T, V)
                gradients(g[n], (n - start) * T, dM)
            for k in range(9):
                total = dU[part, k]
                np.dot(dM[k].T, V[k], total if start == first else product)     # (O, tiles) @ (tiles, 4C) -> (O, 4C)
                if start > first:
                    total += product
    for o in prange(O):
        weight_gradients(dU, o, dW[o])
    return dW


# --- tiles and planes --------------------------------------------------------------------------------------------------

@helper
def tiles(Ho, Wo):
    """How many tiles of 2 × 2 outputs an image has; those at an odd edge lie half outside."""
    return (Ho + 1) // 2 * ((Wo + 1) // 2)


@helper
def images(N, Ho, Wo):
    """How many images share a product; no more than half of them, so that a second thread has something to do."""
    return max(1, min((N + 1) // 2, TILES // max(tiles(Ho, Wo), 1)))


@helper
def no_planes(Ho, Wo, C, like):
    """Zeros for the four planes of an image: all lines and columns that the tiles see."""
    return np.zeros(((Ho + 1) // 2 * 2 + 1, (Wo + 1) // 2 * 2 + 1, 4 * C), like.dtype)


@helper
def to_planes(x, planes, ph, pw):
    """planes[i, j, plane (r, s), c] ← x[c, 2i + r − ph, 2j + s − pw]; what lies outside the image stays zero."""
    C, H, width = x.shape
    for h in range(min(H, 2 * len(planes) - ph)):
        for c in range(C):
            line, given, at = planes[(h + ph) // 2], x[c, h], (h + ph) % 2 * 2 * C + c
            for w in range(min(width, 2 * len(line) - pw)):
                line[(w + pw) // 2, at + (w + pw) % 2 * C] = given[w]


@helper
def from_planes(planes, x, ph, pw):
    """The way back."""
    C, H, width = x.shape
    x[:] = 0
    for h in range(min(H, 2 * len(planes) - ph)):
        for c in range(C):
            line, taken, at = planes[(h + ph) // 2], x[c, h], (h + ph) % 2 * 2 * C + c
            for w in range(min(width, 2 * len(line) - pw)):
                taken[w] = line[(w + pw) // 2, at + (w + pw) % 2 * C]


# --- inputs: V = Bᵀ d B, and dd = B dV Bᵀ ------------------------------------------------------------------------------

@helper
def inputs(planes, t, V):
    """V (9, tiles, 4C), from tile t on, ← Bᵀ d B of all tiles of an image."""
    across = planes.shape[1] // 2
    for i in range(len(planes) // 2):
        for j in range(across):
            for r in range(3):
                a, b, sign = planes[2 * i + FIRST[r]], planes[2 * i + SECOND[r]], SIGN[r]   # Bᵀ d, row r: a + sign · b
                a_left, a_middle, a_right = a[2 * j], a[2 * j + 1], a[2 * j + 2]
                b_left, b_middle, b_right = b[2 * j], b[2 * j + 1], b[2 * j + 2]
                first, second, third = V[3 * r, t], V[3 * r + 1, t], V[3 * r + 2, t]
                for e in range(len(first)):                     # (Bᵀ d) B
                    d = a_middle[e] + sign * b_middle[e]
                    first[e] = a_left[e] + sign * b_left[e] - d
                    second[e] = d
                    third[e] = d - a_right[e] - sign * b_right[e]
            t += 1


@helper
def input_gradients(dV, t, planes):
    """planes ← the sum of B dV Bᵀ, (3, 3, 4C), of all tiles of an image, from tile t on."""
    _, width, D = planes.shape
    flat, row = planes.reshape(len(planes), width * D), np.empty((width, D), planes.dtype)
    planes[:] = 0
    for i in range(len(planes) // 2):
        for r in range(3):
            row[0] = 0
            for j in range(width // 2):                         # dV Bᵀ, row r, of a whole row of tiles
                first, second, third = dV[3 * r, t + j], dV[3 * r + 1, t + j], dV[3 * r + 2, t + j]
                left, middle, right = row[2 * j], row[2 * j + 1], row[2 * j + 2]
                for e in range(D):
                    left[e] += first[e]
                for e in range(D):
                    middle[e] = second[e] + third[e] - first[e]
                    right[e] = -third[e]
            given, a, b, sign = row.reshape(-1), flat[2 * i + FIRST[r]], flat[2 * i + SECOND[r]], SIGN[r]
            for e in range(len(given)):                         # B (dV Bᵀ)
                a[e] += given[e]
            for e in range(len(given)):
                b[e] += sign * given[e]
        t += width // 2


# --- outputs: Y = Aᵀ M A, and dM = A dY Aᵀ -----------------------------------------------------------------------------

@helper
def outputs(M, t, bias, y):
    """y (O, Ho, Wo) of an image ← Aᵀ M A + bias, from M (9, tiles, O), from tile t on."""
    (O, Ho, Wo), across = y.shape, (y.shape[2] + 1) // 2
    row, line = np.empty((3, O), y.dtype), np.empty((2 * across, O), y.dtype)
    for h in range(Ho):
        a, b, c = A[:, h % 2]
        for j in range(across):
            for q in range(3):                                  # Aᵀ M
                at, out = t + h // 2 * across + j, row[q]
                first, second, third = M[q, at], M[3 + q, at], M[6 + q, at]
                for o in range(O):
                    out[o] = a * first[o] + b * second[o] + c * third[o]
            for o in range(O):                                  # (Aᵀ M) A
                line[2 * j, o] = row[0, o] + row[1, o] + bias[o]
            for o in range(O):
                line[2 * j + 1, o] = row[1, o] - row[2, o] + bias[o]
        for o in range(O):
            for w in range(Wo):
                y[o, h, w] = line[w, o]


@helper
def gradients(g, t, dM):
    """dM (9, tiles, O), from tile t on, ← A dY Aᵀ of an image g (O, Ho, Wo); what lies beyond an odd edge counts as zero."""
    O, Ho, Wo = g.shape
    padded = np.zeros((Ho + 1, Wo + 1, O), g.dtype)
    for o in range(O):
        padded[:Ho, :Wo, o] = g[o]
    for i in range((Ho + 1) // 2):
        for j in range((Wo + 1) // 2):
            upper, lower = padded[2 * i, 2 * j:2 * j + 2], padded[2 * i + 1, 2 * j:2 * j + 2]
            for r in range(3):                                  # A dY, row r, and that times Aᵀ
                a, b = A[r]
                first, second, third = dM[3 * r, t], dM[3 * r + 1, t], dM[3 * r + 2, t]
                for o in range(O):
                    left, right = a * upper[0, o] + b * lower[0, o], a * upper[1, o] + b * lower[1, o]
                    first[o], second[o], third[o] = left, left + right, -right
            t += 1


# --- weights: U = G w Gᵀ, and dw = Gᵀ dU G -----------------------------------------------------------------------------

@helper
def weights(W, o, U):
    """U[:, o] (9, 4C) ← G w Gᵀ of the windows W (C, 4, 4) of a filter, w (2, 2) being what a plane's window has of one."""
    C, w = len(W), np.empty((4, len(W)), W.dtype)
    for plane in range(4):
        r, s = plane // 2, plane % 2
        for c in range(C):
            w[0, c], w[1, c], w[2, c], w[3, c] = W[c, r, s], W[c, r, s + 2], W[c, r + 2, s], W[c, r + 2, s + 2]
        for k in range(9):
            out = U[k, o, plane * C:(plane + 1) * C]
            for c in range(C):
                out[c] = GG[k, 0] * w[0, c] + GG[k, 1] * w[1, c] + GG[k, 2] * w[2, c] + GG[k, 3] * w[3, c]


@helper
def weight_gradients(dU, o, dW):
    """dW (C, 4, 4) of a filter ← Gᵀ dU[:, :, o] G, summed over the parts: (parts, 9, 4C)."""
    C, total = len(dW), np.zeros((9, 4 * len(dW)), dU.dtype)
    for part in range(len(dU)):
        for k in range(9):
            given, out = dU[part, k, o], total[k]
            for c in range(4 * C):
                out[c] += given[c]
    for plane in range(4):
        for place in range(4):
            i, j = place // 2, place % 2
            h, w, k, at = 2 * i + plane // 2, 2 * j + plane % 2, 3 * i + j, plane * C
            for c in range(C):
                dW[c, h, w] = total[k, at + c] + total[k + 1, at + c] + total[k + 3, at + c] + total[k + 4, at + c]
