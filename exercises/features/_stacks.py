"""The parts of stacked_autoencoder.py: one autoencoder and its loss, the classifier that is made of several, its tuning."""
import numpy as np

import tinynn as tn
from exercises.features._digits import logits, score
from tinynn import nn, optim
from tinynn.autograd.settings import default_rng
from tinynn.train import batches, uninterrupted

PIXELS = 784


def build(widths=(100, 50), dropout=(0.0, 0.0), rng=None) -> nn.Sequential:
    """The classifier: x (N, 784) -> logits (N, 10), from Glorot's random start. dropout: of pixels, and of codes."""
    rng, (of_pixels, of_codes) = default_rng(rng), dropout
    layers, n_in = [nn.Dropout(of_pixels, rng=rng)], PIXELS
    for width in widths:
        layers += [start(n_in, width, rng), nn.Sigmoid(), nn.Dropout(of_codes, rng=rng)]
        n_in = width
    return nn.Sequential(*layers, start(n_in, 10, rng)).astype(np.float32)


def start(n_in, n_out, rng) -> nn.Linear:
    """A layer with Glorot's random weights and biases of 0, which suit a sigmoid."""
    layer = nn.Linear(n_in, n_out, rng=rng)
    nn.init.xavier_uniform(layer.weight, rng=rng)
    layer.bias.data = np.zeros_like(layer.bias.data)
    return layer


def sparse_loss(model, x, weight=0.0, sparsity=0.0, rho=0.15):
    """E of an autoencoder Sequential(Dropout, Linear, Sigmoid, Linear, Sigmoid) for x (N, D): a scalar."""
    z = model[:3](x)                                                                    # (N, D) -> (N, width)
    loss = ((model[3:](z) - x) ** 2).sum() / len(x)                                     # (N, width) -> (N, D) -> ()
    if weight:
        loss = loss + weight / 2 * nn.l2_penalty([model[1].weight, model[3].weight])
    if sparsity:
        active = z.mean(axis=0)                                                         # (N, width) -> (width,)
        loss = loss + sparsity * (rho * np.log(rho / active) + (1 - rho) * np.log((1 - rho) / (1 - active))).sum()
    return loss


def learn_code(x, width, rng, epochs, noise=0.0, rate=0.002, batch=100, **penalties) -> tuple:
    """Train one autoencoder on x (N, D); its encoder's state, and the part of the variance of x that comes back."""
    n_in = x.shape[1]
    model = nn.Sequential(nn.Dropout(noise, rng=rng), start(n_in, width, rng), nn.Sigmoid(),
                          start(width, n_in, rng), nn.Sigmoid()).astype(np.float32)
    optimizer = optim.Adam(model.parameters(), lr=optim.schedules.cosine(rate, epochs))
    for optimizer.epoch in range(epochs):
        for xb, _ in batches(x, x, batch, rng):
            optimizer.step(lambda: sparse_loss(model, xb, **penalties))
    error = tn.evaluate(model, x, x, nn.MSELoss(), 1000)
    return model[1].state_dict(), 1 - error / x.var(axis=0).mean()


def encode(x, layer) -> np.ndarray:
    """The codes of x (N, D) by the encoder whose state `layer` is: (N, width)."""
    return tn.sigmoid(x @ layer["weight"].T + layer["bias"])                            # (N, D) @ (D, width)


def learn_softmax(z, y) -> nn.Linear:
    """A softmax on codes z (N, q), by L-BFGS in float64: where codes hardly differ, weights must be large."""
    model = nn.Linear(z.shape[1], 10, rng=0)
    uninterrupted(tn.fit(model, z, y, loss=nn.CrossEntropyLoss(), optimizer=optim.LBFGS(model.parameters()), epochs=400,
                         progress=False))
    return model


def tune(model, x, y, epochs, rng, validation=None, rate=0.001) -> np.ndarray:
    """Train the whole by its labels, by Adam; the accuracy on the validation images after each epoch, if there are any."""
    curve = []

    def look(_):
        if validation:
            curve.append(score(logits(model, validation[0]), validation[1])[1])
    tn.fit(model, x, y, loss=nn.CrossEntropyLoss(), epochs=epochs, batch_size=100, rng=rng, progress=False, callbacks=[look],
           optimizer=optim.Adam(model.parameters(), lr=optim.schedules.cosine(rate, epochs)))
    return np.array(curve)


def linears(model) -> list:
    return [layer for layer in model if isinstance(layer, nn.Linear)]
