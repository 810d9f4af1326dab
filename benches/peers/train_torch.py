"""PyTorch: `eager` as tutorials have it, with the fused Adam; `compiled` with forward, backward and Adam in one graph, or of networks
with more than dense layers the passes alone."""

import time

from workloads import EPSILON, LEARNING_RATE, arguments, mnist, report

chosen = arguments("eager", "compiled")

import torch  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

from torch_networks import of_images  # noqa: E402

torch.set_num_threads(chosen.threads)
torch.manual_seed(0)
x, y, test_x, test_y = map(torch.from_numpy, mnist(chosen.data))
model, shape = of_images(chosen.network)
x, test_x = x.view(-1, *shape), test_x.view(-1, *shape)


def eager(predict):
    """A step of a model, compiled or not, which builds the graph anew each time."""
    adam = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, eps=EPSILON, fused=True)

    def step(inputs, classes):
        adam.zero_grad(set_to_none=True)
        cross_entropy(predict(inputs), classes).backward()
        adam.step()

    return step


def compiled():
    """A step as one function of the parameters, which PyTorch turns into one program."""
    names, parameters = zip(*model.named_parameters())
    parameters = [parameter.detach() for parameter in parameters]
    means, squares = ([torch.zeros_like(parameter) for parameter in parameters] for _ in range(2))
    count = torch.zeros(())

    def loss(values, inputs, classes):
        return cross_entropy(torch.func.functional_call(model, dict(zip(names, values)), (inputs,)), classes)

    @torch.compile(dynamic=False)
    def update(values, means, squares, count, inputs, classes):
        count += 1
        grads = torch.func.grad(loss)(values, inputs, classes)
        corrections = 1 - 0.9**count, 1 - 0.999**count
        for value, mean, square, grad in zip(values, means, squares, grads):
            mean.mul_(0.9).add_(grad, alpha=0.1)
            square.mul_(0.999).addcmul_(grad, grad, value=0.001)
            root = (square / corrections[1]).sqrt() + EPSILON
            value.sub_(LEARNING_RATE * (mean / corrections[0]) / root)

    return lambda inputs, classes: update(parameters, means, squares, count, inputs, classes)


if chosen.variant == "eager":
    step = eager(model)
else:
    step = compiled() if isinstance(chosen.network, int) else eager(torch.compile(model, dynamic=False))
seconds = []
for _ in range(chosen.epochs):
    begin = time.perf_counter()
    for indices in torch.randperm(len(x)).split(chosen.batch):
        step(x[indices], y[indices])
    seconds.append(time.perf_counter() - begin)
model.eval()
with torch.no_grad():
    right = sum((model(xs).argmax(1) == ys).sum() for xs, ys in zip(test_x.split(1000), test_y.split(1000)))
report(f"PyTorch, {chosen.variant}", torch.__version__, chosen, seconds, right / len(test_y))
