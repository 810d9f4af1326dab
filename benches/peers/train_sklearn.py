"""scikit-learn: `MLPClassifier`, which has dense layers only."""

import time
import warnings

from workloads import EPSILON, LEARNING_RATE, arguments, mnist, report

chosen = arguments("fit")
if not isinstance(chosen.network, int):
    raise SystemExit(f"scikit-learn has dense layers only, and no {chosen.network}")

import sklearn  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402

# That it has not converged after a few epochs is as it should be.
warnings.filterwarnings("ignore")
x, y, test_x, test_y = mnist(chosen.data)
marks = []


class Timed(MLPClassifier):
    """Looks at the clock at the end of each epoch."""

    def _update_no_improvement_count(self, *arguments):
        marks.append(time.perf_counter())
        return super()._update_no_improvement_count(*arguments)


model = Timed(
    hidden_layer_sizes=(chosen.network, chosen.network),
    batch_size=chosen.batch,
    max_iter=chosen.epochs,
    learning_rate_init=LEARNING_RATE,
    epsilon=EPSILON,
    alpha=0,
    tol=0,
    n_iter_no_change=chosen.epochs + 1,
    random_state=0,
)
marks.append(time.perf_counter())
model.fit(x, y)
seconds = [end - begin for begin, end in zip(marks, marks[1:])]
report("scikit-learn, fit", sklearn.__version__, chosen, seconds, model.score(test_x, test_y))
