"""The exercises: one script per experiment of the course, and the page that shows what came out.

    python -m exercises list
    python -m exercises run noise            # at the report's configuration
    python -m exercises run all --quick      # smaller, in a minute or two: to see everything work

An exercise is a module exercises/SESSION/NAME.py that is found by its place. It reads like its description:

    '''Learning a sine: how far does a small network get?'''          # the first line is its title
    @dataclass(frozen=True)
    class SineConfig(Config):
        repetitions: int = 20

    CONFIG = SineConfig(takes="2 min")
    QUICK = SineConfig(takes="5 s", quick=True, repetitions=2)

    def build(rng): ...                                               # its model

    def run(config):
        card = Card.begin(__name__, config)
        problem = card.use(regression_problem())                      # data sets first: they decide what is comparable
        errors = [train(build(rng), problem) for rng in np.random.default_rng(config.seed).spawn(config.repetitions)]
        card.add_row("test MSE", errors, report=3.05e-9)
        card.add_figure(plt.figure(), "fit", "The fit.")              # the first figure opens the exercise's section
        card.pitfalls.append("What the reports got wrong, in a sentence or two.")
        return card

The runner seeds the default Generator, limits BLAS to one thread, and sets the look of figures; with joblib.Parallel(),
an exercise uses --jobs processes, of one thread each. Modules whose names begin with _ are helpers.
Read card.py next, then any exercise.
"""
