"""Write torch_gan.npz: adversarial losses and the gradient penalty by PyTorch, float64, for tests/train/test_adversarial.py.

    python tests/recorded/record_torch_gan.py               (needs torch)
"""
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

torch.manual_seed(0)
rng, record = np.random.default_rng(0), {}
CRITICS = {
    "dense": ((6,), nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5), nn.LeakyReLU(0.2), nn.Linear(5, 1))),
    "conv": ((2, 6, 6), nn.Sequential(nn.Conv2d(2, 3, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(3, 4, 3), nn.Sigmoid(),
                                      nn.Flatten(), nn.Linear(4, 1))),
}
for name, (shape, critic) in CRITICS.items():
    critic.double()
    real, fake = (torch.tensor(3 * rng.standard_normal((7, *shape))) for _ in range(2))
    e = torch.tensor(np.random.default_rng(3).random((7, *(1 for _ in shape))))         # as gradient_penalty draws it
    x = (e * real + (1 - e) * fake).requires_grad_()
    g, = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    penalty = ((g.flatten(1).norm(2, dim=1) - 1) ** 2).mean()
    gradients = torch.autograd.grad(penalty, list(critic.parameters()), allow_unused=True)
    record |= {f"{name}/real": real.numpy(), f"{name}/fake": fake.numpy(), f"{name}/penalty": penalty.item()}
    record |= {f"{name}/state/{key}": value.numpy() for key, value in critic.state_dict().items()}
    record |= {f"{name}/grad/{key}": np.zeros(p.shape) if d is None else d.numpy()
               for (key, p), d in zip(critic.named_parameters(), gradients)}

real, fake = (torch.tensor(4 * rng.standard_normal((9, 1)), requires_grad=True) for _ in range(2))
ones, zeros = torch.ones_like(real), torch.zeros_like(real)
losses = {"discriminator_loss": (bce(real, ones) + bce(fake, zeros)) / 2, "non_saturating_loss": bce(fake, ones),
          "saturating_loss": -bce(fake, zeros), "wasserstein_critic_loss": fake.mean() - real.mean(),
          "wasserstein_generator_loss": -fake.mean()}
record |= {"losses/real": real.detach().numpy(), "losses/fake": fake.detach().numpy()}
for name, loss in losses.items():
    d_real, d_fake = torch.autograd.grad(loss, (real, fake), allow_unused=True)
    record |= {f"losses/{name}": loss.item(), f"losses/{name}/fake": d_fake.numpy()}
    if d_real is not None:
        record[f"losses/{name}/real"] = d_real.numpy()
np.savez_compressed(Path(__file__).with_name("torch_gan.npz"), **record)
