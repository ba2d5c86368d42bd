"""Adversarial training: losses against PyTorch and the checker, alternation, resuming, and a GAN that learns a Gaussian."""
import time
from pathlib import Path

import numpy as np
import pytest

import tinynn as tn
from tinynn import nn, optim
from tinynn.train import GAN, SATURATING_GAN, WGAN, adversarial, fit_adversarial, generate, gradient_penalty

RECORD = dict(np.load(Path(__file__).parents[1] / "recorded" / "torch_gan.npz"))
LOSSES = {"discriminator_loss": 2, "non_saturating_loss": 1, "saturating_loss": 1, "wasserstein_critic_loss": 2,
          "wasserstein_generator_loss": 1}                      # name -> how many arguments
CRITICS = {
    "dense": lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5), nn.LeakyReLU(0.2), nn.Linear(5, 1)),
    "conv": lambda: nn.Sequential(nn.Conv2d(2, 3, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.Flatten(),
                                  nn.Linear(4, 1)),
}


def players(dropout=False):
    rng = np.random.default_rng(4)
    G = nn.Sequential(nn.Linear(2, 8, rng=rng), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1, rng=rng))
    D = nn.Sequential(nn.Linear(1, 8, rng=rng), nn.LeakyReLU(0.2), *[nn.Dropout(0.2, rng=rng)] * dropout,
                      nn.Linear(8, 1, rng=rng))
    return G, D


def train(epochs, *, game=GAN, data=None, dropout=False, optimizer=optim.Adam, **settings):
    """(G, D, history) of a small run with fixed seeds."""
    G, D = players(dropout)
    data = np.random.default_rng(0).normal(3, 0.5, (50, 1)) if data is None else data
    settings = {"latent": 2, "batch_size": 16, "samples": 3, "rng": np.random.default_rng(1), "progress": False} | settings
    history = fit_adversarial(G, D, data, game=game, epochs=epochs, generator_optimizer=optimizer(G.parameters(), lr=2e-3),
                              critic_optimizer=optimizer(D.parameters(), lr=2e-3), **settings)
    return G, D, history


# --- losses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_pytorchs(name):
    loss, keys = getattr(adversarial, name), ["real", "fake"][-LOSSES[name]:]
    outputs = [tn.Tensor(RECORD[f"losses/{key}"], requires_grad=True) for key in keys]
    value = loss(*outputs)
    np.testing.assert_allclose(value.item(), RECORD[f"losses/{name}"], rtol=1e-12)
    for key, gradient in zip(keys, tn.grad(value, outputs)):
        np.testing.assert_allclose(gradient, RECORD[f"losses/{name}/{key}"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_pass_the_checker(name):
    outputs = [3 * np.random.default_rng(i).standard_normal((5, 1)) for i in range(LOSSES[name])]
    tn.check_gradients(getattr(adversarial, name), *outputs, order=2)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_keep_float32_and_take_any_logit(name):
    loss, n = getattr(adversarial, name), LOSSES[name]
    assert loss(*[np.ones((4, 1), np.float32)] * n).dtype == np.float32
    x = [tn.Tensor(np.array([-1e4, 1e4]), requires_grad=True) for _ in range(n)]
    value = loss(*x)
    assert np.isfinite(value.data) and all(np.isfinite(g).all() for g in tn.grad(value, x))
    with pytest.raises(ValueError, match=f"{name}: the critic's outputs have shape"):
        loss(*[np.zeros((0, 1))] * n)


def test_losses_at_the_equilibrium():
    undecided = np.zeros((6, 1))
    assert GAN.critic(undecided, undecided).item() == pytest.approx(np.log(2), rel=1e-15)
    assert GAN.generator(undecided).item() == pytest.approx(np.log(2), rel=1e-15)
    assert SATURATING_GAN.generator(undecided).item() == pytest.approx(-np.log(2), rel=1e-15)
    assert WGAN.critic(undecided, undecided).item() == 0


def test_only_one_generator_loss_saturates():
    """Where the critic is sure that a sample is fake, D = σ(−8), the minimax loss hardly moves."""
    slopes = [tn.grad(game.generator(x), [x])[0].item() for game in (GAN, SATURATING_GAN)
              for x in [tn.Tensor(np.array([-8.0]), requires_grad=True)]]
    assert slopes[0] < -0.999 and -4e-4 < slopes[1] < 0


@pytest.mark.parametrize("name", CRITICS)
def test_gradient_penalty_is_pytorchs(name):
    critic = CRITICS[name]()
    critic.load_state_dict({key.removeprefix(f"{name}/state/"): value for key, value in RECORD.items()
                            if key.startswith(f"{name}/state/")})
    value = gradient_penalty(critic, RECORD[f"{name}/real"], RECORD[f"{name}/fake"], np.random.default_rng(3))
    np.testing.assert_allclose(value.item(), RECORD[f"{name}/penalty"], rtol=1e-10)
    for (key, p), gradient in zip(critic.named_parameters(), tn.grad(value, critic.parameters())):
        np.testing.assert_allclose(gradient, RECORD[f"{name}/grad/{key}"], rtol=1e-10, atol=1e-12, err_msg=key)


@pytest.mark.parametrize("one_sided", [False, True])
def test_gradient_penalty_passes_the_checker(one_sided):
    real, fake = np.random.default_rng(0).standard_normal((2, 4, 3))

    def penalty(W, w):
        return gradient_penalty(lambda x: tn.tanh(x @ W) @ w, real, fake, 3, one_sided)

    rng = np.random.default_rng(1)
    tn.check_gradients(penalty, rng.standard_normal((3, 5)), rng.standard_normal((5, 1)))


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 3.0])
def test_gradient_penalty_of_a_linear_critic(slope, one_sided):
    critic = nn.Linear(4, 1)
    critic.load_state_dict({"weight": np.full((1, 4), slope / 2), "bias": np.zeros(1)})
    x = np.random.default_rng(0).standard_normal((6, 4))
    value = gradient_penalty(critic, x, -x, one_sided=one_sided)
    assert value.item() == pytest.approx(0 if one_sided and slope < 1 else (slope - 1) ** 2, abs=3e-6)
    assert np.isfinite(tn.grad(value, [critic.weight])[0]).all()
    critic.astype(np.float32)
    assert gradient_penalty(critic, x, (-x).astype(np.float32)).dtype == np.float32


# --- the loop ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_critic, generator_steps", [(1, [4, 4, 4]), (3, [1, 1, 2]), (5, [0, 1, 1])])
def test_alternation(n_critic, generator_steps, monkeypatch):
    """Batches of 16 of 50 examples: 4 critic steps an epoch; every n_critic-th of all is followed by the generator's."""
    order = []
    for name in ("critic_step", "generator_step"):
        step = getattr(adversarial, name)
        monkeypatch.setattr(adversarial, name, lambda *a, step=step, name=name: (order.append(name[0]), step(*a))[1])
    _, _, history = train(3, n_critic=n_critic)
    assert "".join(order) == ("c" * n_critic + "g") * (12 // n_critic) + "c" * (12 % n_critic)
    assert [len(v) for v in history.steps.values()] == [12, sum(generator_steps), 12]
    assert history.critic_loss == pytest.approx([np.mean(history.steps["critic_loss"][i:i + 4]) for i in (0, 4, 8)])
    ends = np.cumsum([0, *generator_steps])
    with np.errstate(invalid="ignore"):
        means = [np.mean(history.steps["generator_loss"][a:b]) if b > a else np.nan for a, b in zip(ends, ends[1:])]
    np.testing.assert_allclose(history.generator_loss, means)


def test_a_generator_that_would_never_learn_is_refused():
    x = np.random.default_rng(0).normal(3, 0.5, (17, 1))
    for batch_size, epochs in ((None, 4), (10, 2)):
        with pytest.raises(ValueError, match=f"n_critic is 5, but epochs={epochs}, .* make 4 critic steps, so the generator"):
            train(epochs, data=x, batch_size=batch_size, n_critic=5)
    history = train(5, data=x, batch_size=None, n_critic=5)[2]                  # the least that is possible
    np.testing.assert_equal(np.isnan(history.generator_loss), [True] * 4 + [False])
    assert len(train(0, data=x, n_critic=5)[2]) == 0


def test_each_step_moves_one_player():
    G, D = players()
    of_G, of_D = optim.GD(G.parameters(), lr=0.1), optim.GD(D.parameters(), lr=0.1)
    real, fake = np.ones((5, 1)), G(np.random.default_rng(0).standard_normal((5, 2)))
    adversarial.critic_step(D, of_D, GAN, real, fake)
    moved = D.state_dict()
    assert all(p.grad is None for p in G.parameters())
    before, gradients = G.state_dict(), [p.grad.copy() for p in D.parameters()]
    adversarial.generator_step(D, of_G, GAN, fake)
    assert all(np.array_equal(moved[name], value) for name, value in D.state_dict().items())
    assert all(np.array_equal(p.grad, g) and p.requires_grad for p, g in zip(D.parameters(), gradients))
    assert not np.array_equal(before["3.weight"], G.state_dict()["3.weight"])


def test_the_generators_gradient_passes_through_the_critic():
    """A step of plain descent on L(D(G(z))) is the gradient of that whole composition."""
    G, D = players()
    z = np.random.default_rng(0).standard_normal((6, 2))
    expected = tn.grad(GAN.generator(D(G(z))), G.parameters())
    before = [p.data.copy() for p in G.parameters()]
    optimizer = optim.GD(G.parameters(), lr=1.0)
    adversarial.generator_step(D, optimizer, GAN, G(z))
    for p, old, g in zip(G.parameters(), before, expected):
        np.testing.assert_allclose(old - p.data, g, atol=1e-12)


def test_fixed_latents_are_followed():
    G, _, history = train(3)
    assert history.latents.shape == (3, 2) and history.samples.shape == (3, 3, 1)
    assert np.array_equal(history.samples[-1], generate(G, history.latents))
    assert not np.array_equal(history.samples[0], history.samples[-1])
    assert G.training                                           # sampling has not left it in evaluation mode
    z = np.random.default_rng(0).standard_normal((7, 2))
    np.testing.assert_allclose(generate(G, z, batch_size=3), G.eval()(z).data, rtol=1e-12)


@pytest.mark.parametrize("settings", [{"n_critic": 3}, {"game": WGAN, "penalty": 10.0, "n_critic": 2},
                                      {"game": WGAN, "clip": 0.1, "optimizer": optim.RMSprop}, {"dropout": True}])
def test_resuming_equals_not_stopping(settings, tmp_path):
    whole = train(5, **settings)
    train(2, checkpoint=tmp_path / "run", **settings)
    again = train(5, checkpoint=tmp_path / "run", **settings, rng=np.random.default_rng(77))     # the file's rng counts
    for one, other in zip(whole[:2], again[:2]):
        assert all(np.array_equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
    a, b = vars(whole[2]), vars(again[2])
    for name in a.keys() - {"seconds"}:
        np.testing.assert_equal(b[name], a[name])


def test_interrupted_then_resumed(tmp_path):
    def interrupt(history):
        if len(history) == 3:
            raise KeyboardInterrupt
    _, _, history = train(5, checkpoint=tmp_path / "run", callbacks=[interrupt])
    assert history.stop_reason == "interrupted" and len(history) == 3 and len(history.samples) == 3
    _, _, resumed = train(5, checkpoint=tmp_path / "run")
    _, _, whole = train(5)
    assert resumed.stop_reason == "all epochs done" and resumed.steps == whole.steps


def test_another_runs_checkpoint_is_refused(tmp_path):
    train(1, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="not a checkpoint of this run .*not one of RMSprop"):
        train(2, checkpoint=tmp_path / "run", optimizer=optim.RMSprop)


@pytest.mark.parametrize("other", ["generator", "critic"])
def test_a_state_is_taken_over_as_a_whole_or_not_at_all(other):
    """Also where only one of the optimizers is another than in the file."""
    G, D = players()
    makes = {"generator": optim.Adam, "critic": optim.Adam}
    mine, file = (adversarial.Optimizers(kinds["generator"](G.parameters(), lr=0.1), kinds["critic"](D.parameters(), lr=0.1))
                  for kinds in (makes, makes | {other: optim.RMSprop}))
    for optimizer in mine.of.values():
        optimizer.step(lambda: sum((p * p).sum() for p in optimizer.flat.params))
    before = mine.state_dict()
    with pytest.raises(ValueError, match="the state is not one of Adam"):
        mine.load_state_dict(file.state_dict())
    np.testing.assert_equal(mine.state_dict(), before)
    again = adversarial.Optimizers(optim.Adam(G.parameters(), lr=0.1), optim.Adam(D.parameters(), lr=0.1))
    again.load_state_dict(before)
    np.testing.assert_equal(again.state_dict(), before)


def test_callbacks_time_is_not_training_s():
    _, _, history = train(3, callbacks=[lambda history: time.sleep(0.3)])
    assert history.seconds == sorted(history.seconds) and history.seconds[2] - history.seconds[0] < 0.3


def test_clipping_clips():
    G, D, _ = train(2, game=WGAN, clip=0.05)
    assert max(np.abs(p.data).max() for p in D.parameters()) == 0.05
    assert max(np.abs(p.data).max() for p in G.parameters()) > 0.05


@pytest.mark.parametrize("penalty", [2.0, 20.0])
def test_a_wasserstein_critic_measures_the_distance(penalty):
    """Of N((3, 0), ½²) from N(0, ½²), which is W = 3. A critic of slope s loses −sW + λ(s − 1)²: at best −W − W²/4λ.

    In two dimensions: in one, a critic of slope −1 cannot turn round, as the penalty has a hill at slope 0.
    """
    rng = np.random.default_rng(0)
    G, D = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 16, rng=rng), nn.LeakyReLU(0.2), nn.Linear(16, 1, rng=rng))
    G.load_state_dict({"weight": 0.5 * np.eye(2), "bias": np.zeros(2)})
    history = fit_adversarial(G, D, rng.normal([3, 0], 0.5, (500, 2)), game=WGAN, latent=2, epochs=30, batch_size=50, rng=rng,
                              generator_optimizer=optim.GD(G.parameters(), lr=1e-12), penalty=penalty, progress=False,
                              critic_optimizer=optim.Adam(D.parameters(), lr=0.02, betas=(0.5, 0.9)))
    assert -np.mean(history.critic_loss[-5:]) == pytest.approx(3 + 9 / (4 * penalty), rel=0.03)


@pytest.mark.parametrize("one_sided", [False, True])
def test_on_a_line_only_the_one_sided_penalty_lets_a_critic_turn_round(one_sided):
    """Samples at 0, data at −2 and 2, W₁ = 2: the best critic is |x|. The other penalty makes it lean to one side."""
    rng = np.random.default_rng(0)
    D = nn.Sequential(nn.Linear(1, 16, rng=rng), nn.LeakyReLU(0.2), nn.Linear(16, 1, rng=rng))
    G = nn.Linear(2, 1)
    G.load_state_dict({"weight": np.full((1, 2), 1e-3), "bias": np.zeros(1)})
    history = fit_adversarial(G, D, rng.choice([-2.0, 2.0], (500, 1)), game=WGAN, latent=2, epochs=30, batch_size=50, rng=rng,
                              generator_optimizer=optim.GD(G.parameters(), lr=1e-12), penalty=10.0, one_sided=one_sided,
                              progress=False, critic_optimizer=optim.Adam(D.parameters(), lr=0.02, betas=(0.5, 0.9)))
    assert (-np.mean(history.critic_loss[-5:]) > 1.9) == one_sided


def test_float32_stays_float32():
    G, D = (player.astype(np.float32) for player in players())
    x = np.random.default_rng(0).normal(3, 1, (20, 1)).astype(np.float32)
    history = fit_adversarial(G, D, x, game=WGAN, latent=2, epochs=1, batch_size=10, penalty=10.0, clip=0.5, progress=False,
                              generator_optimizer=optim.Adam(G.parameters()), critic_optimizer=optim.Adam(D.parameters()))
    assert history.samples.dtype == history.latents.dtype == G(history.latents).dtype == np.float32
    assert all(p.grad.dtype == np.float32 for p in D.parameters())


def test_a_latent_may_be_an_image():
    G, D = nn.ConvTranspose2d(3, 1, 4), nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    history = fit_adversarial(G, D, np.random.default_rng(0).random((8, 1, 4, 4)), game=GAN, latent=(3, 1, 1), epochs=1,
                              generator_optimizer=optim.Adam(G.parameters()), critic_optimizer=optim.Adam(D.parameters()),
                              progress=False)
    assert history.latents.shape == (16, 3, 1, 1) and history.samples.shape == (1, 16, 1, 4, 4)


def test_a_loss_that_is_not_finite_stops():
    assert train(3, data=np.full((20, 1), np.nan))[2].stop_reason == "the loss is not finite"


def test_callbacks_stop():
    _, _, history = train(9, callbacks=[lambda history: len(history) == 2])
    assert len(history) == 2 and history.stop_reason == "a callback asked to stop"


def test_learns_a_gaussian():
    """Data N(3, ½²), samples at first around 0: mean and width are found."""
    rng = np.random.default_rng(0)
    G = nn.Sequential(nn.Linear(1, 16, rng=rng), nn.Tanh(), nn.Linear(16, 1, rng=rng))
    D = nn.Sequential(nn.Linear(1, 16, rng=rng), nn.LeakyReLU(0.2), nn.Linear(16, 16, rng=rng), nn.LeakyReLU(0.2),
                      nn.Linear(16, 1, rng=rng))
    z = rng.standard_normal((2000, 1))
    assert abs(generate(G, z).mean()) < 1
    history = fit_adversarial(G, D, rng.normal(3, 0.5, (1000, 1)), game=GAN, latent=1, epochs=100, batch_size=100, rng=rng,
                              generator_optimizer=optim.Adam(G.parameters(), lr=2e-3, betas=(0.0, 0.9)), progress=False,
                              critic_optimizer=optim.Adam(D.parameters(), lr=2e-3, betas=(0.0, 0.9)))
    assert abs(generate(G, z).mean() - 3) < 0.15 and 0.35 < generate(G, z).std() < 0.65
    assert history.critic_loss[-1] == pytest.approx(np.log(2), abs=0.02)             # nobody wins
    assert history.generator_loss[-1] == pytest.approx(np.log(2), abs=0.05)
    assert history.accuracy[-1] == pytest.approx(0.5, abs=0.1) and max(history.accuracy) > 0.75


def test_bad_input():
    G, D = players()
    good = {"game": GAN, "latent": 2, "epochs": 1, "generator_optimizer": optim.Adam(G.parameters()),
            "critic_optimizer": optim.Adam(D.parameters()), "progress": False}
    x = np.ones((4, 1))
    for wrong, match in [({"epochs": -1}, "epochs is -1"), ({"batch_size": 0}, "batch_size is 0"),
                         ({"latent": 0}, "latent.0. is 0"),
                         ({"latent": 2.0}, "latent.0. is 2.0"), ({"n_critic": 1.5}, "n_critic is 1.5"),
                         ({"samples": 0}, "samples is 0"), ({"clip": -1}, "clip is -1"), ({"penalty": 0}, "penalty is 0"),
                         ({"critic_optimizer": optim.Adam(G.parameters())}, "critic_optimizer trains parameters that are n")]:
        with pytest.raises(ValueError, match=match):
            fit_adversarial(G, D, x, **good | wrong)
    for x in (np.ones((0, 1)), np.ones((4, 1), int), np.float64(1)):
        with pytest.raises(ValueError, match="fit_adversarial: x has shape"):
            fit_adversarial(G, D, x, **good)
    with pytest.raises(TypeError, match="generator_optimizer is a BFGS; expected a first-order one"):
        fit_adversarial(G, D, np.ones((4, 1)), **good | {"generator_optimizer": optim.BFGS(G.parameters())})
    with pytest.raises(TypeError, match="game is 'GAN'; expected a Game"):
        fit_adversarial(G, D, np.ones((4, 1)), **good | {"game": "GAN"})
    wide = tn.nn.Linear(1, 3)
    with pytest.raises(ValueError, match=r"of 4 examples the critic makes shape \(4, 3\); expected a number for each"):
        fit_adversarial(G, wide, np.ones((4, 1)), **good | {"critic_optimizer": optim.Adam(wide.parameters())})
    for real, fake, told in ((np.ones((4, 1)), np.ones((3, 1)), r"real has shape \(4, 1\) .* fake has \(3, 1\) and float64"),
                             (np.ones((4, 1), int), np.ones((4, 1)), r"dtype int64.*expected floats \(N, ...\) of one shape"),
                             ([[1], [2]], [[1], [2]], "dtype int64"), (1.0, 2.0, r"shape \(\)"),
                             (np.ones((0, 1)), np.ones((0, 1)), "N at least 1")):
        with pytest.raises(ValueError, match=f"gradient_penalty: .*{told}"):
            gradient_penalty(D, real, fake)
    for z, size, told in ((np.zeros((0, 2)), 9, r"len\(z\) is 0"), (np.zeros((3, 2)), 1.5, "batch_size is 1.5"),
                          (np.zeros((3, 2)), 0, "batch_size is 0; expected an int >= 1")):
        with pytest.raises(ValueError, match=f"generate: {told}"):
            generate(G, z, size)


def test_a_critic_that_says_nothing_is_right_about_half():
    critic = nn.Linear(1, 1, rng=0)
    for p in critic.parameters():
        p.data = 0 * p.data
    fake = tn.Tensor(np.zeros((4, 1)))
    _, right = adversarial.critic_step(critic, optim.GD(critic.parameters()), GAN, np.ones((4, 1)), fake)
    assert right == 0.5


def test_callbacks_that_are_no_list_are_refused():
    with pytest.raises(TypeError, match="expected a list of functions"):
        train(1, callbacks=len)
