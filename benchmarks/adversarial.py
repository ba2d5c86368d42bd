"""The adversarial workloads of session 4: one iteration is a step of the critic and one of the generator. See workloads.py."""
import numpy as np

from tinynn import nn, optim
from tinynn.train.adversarial import GAN, critic_step, generator_step

from .workloads import has


def iteration(build, latent, real):
    """Both players' steps, float32, Adam; build(layers): (generator, critic), of tinynn's layers or PyTorch's."""
    rng = np.random.default_rng(0)
    G, D = (player.astype(np.float32) for player in build(nn))
    of_G, of_D = optim.Adam(G.parameters()), optim.Adam(D.parameters())

    def ours():
        fake = G(rng.standard_normal((len(real), *latent), np.float32))
        critic_step(D, of_D, GAN, real, fake)
        generator_step(D, of_G, GAN, fake)
    contestants = {"tinynn": ours}
    if has("torch"):
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits as bce
        g, d = build(torch.nn)
        of_g, of_d, x = torch.optim.Adam(g.parameters()), torch.optim.Adam(d.parameters()), torch.tensor(real)
        ones, zeros = torch.ones(len(x), 1), torch.zeros(len(x), 1)

        def theirs():
            fake = g(torch.randn(len(x), *latent))
            of_d.zero_grad()
            ((bce(d(x), ones) + bce(d(fake.detach()), zeros)) / 2).backward()
            of_d.step()
            of_g.zero_grad()
            d.requires_grad_(False)                             # as ours: no gradients of the critic here
            bce(d(fake), ones).backward()
            d.requires_grad_(True)
            of_g.step()
        contestants["PyTorch"] = theirs
    return contestants


def gan_iteration():
    """Fully connected GAN 20-256-512-784 against 784-512-256-1, an iteration of batch 512, float32."""
    def build(layers):
        G = layers.Sequential(layers.Linear(20, 256), layers.LeakyReLU(0.2), layers.Linear(256, 512), layers.LeakyReLU(0.2),
                              layers.Linear(512, 784), layers.Sigmoid())                        # (N, 20) -> (N, 784)
        D = layers.Sequential(layers.Linear(784, 512), layers.LeakyReLU(0.2), layers.Linear(512, 256),
                              layers.LeakyReLU(0.2), layers.Linear(256, 1))                     # (N, 784) -> (N, 1)
        return G, D
    return iteration(build, (20,), np.random.default_rng(1).random((512, 784), dtype=np.float32))


def dcgan_iteration():
    """DCGAN on 32×32×3 (100–256–128–64–3 against 3–64–128–256–1, 4×4, stride 2), an iteration of batch 64, float32."""
    def build(layers):
        up, down = layers.ConvTranspose2d, layers.Conv2d
        G = layers.Sequential(
            up(100, 256, 4), layers.BatchNorm2d(256), layers.ReLU(),                # (N, 100, 1, 1) -> (N, 256, 4, 4)
            up(256, 128, 4, 2, 1), layers.BatchNorm2d(128), layers.ReLU(),          # -> (N, 128, 8, 8)
            up(128, 64, 4, 2, 1), layers.BatchNorm2d(64), layers.ReLU(),            # -> (N, 64, 16, 16)
            up(64, 3, 4, 2, 1), layers.Tanh())                                      # -> (N, 3, 32, 32)
        D = layers.Sequential(
            down(3, 64, 4, 2, 1), layers.LeakyReLU(0.2),                                        # -> (N, 64, 16, 16)
            down(64, 128, 4, 2, 1), layers.BatchNorm2d(128), layers.LeakyReLU(0.2),             # -> (N, 128, 8, 8)
            down(128, 256, 4, 2, 1), layers.BatchNorm2d(256), layers.LeakyReLU(0.2),            # -> (N, 256, 4, 4)
            layers.Flatten(), layers.Linear(256 * 4 * 4, 1))                                    # -> (N, 1)
        return G, D
    return iteration(build, (100, 1, 1), np.random.default_rng(1).uniform(-1, 1, (64, 3, 32, 32)).astype(np.float32))


TABLE = [(gan_iteration, {"PyTorch": 0.8}, {}), (dcgan_iteration, {"PyTorch": 1.0}, {"rounds": 10})]
