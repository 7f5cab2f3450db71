"""The convolutional network of the digits: forwards, backwards and its training. In float64; images are N C H W."""

import numpy as np

# Name, input channels, output channels, stride; kernels are 3 x 3, padding is 1.
CONVOLUTIONS = (("conv1", 1, 16, 1), ("conv2", 16, 32, 2), ("conv3", 32, 32, 1))
CLASSES = 10
# Added to variances; the value that ONNX's BatchNormalization has by default.
EPSILON = 1e-5


def initial(rng):
    """Weights by fan-in; every convolution is followed by a batch normalization, so none has a bias."""
    parameters = {}
    for name, inner, outer, _ in CONVOLUTIONS:
        parameters[f"{name}.w"] = rng.normal(0, np.sqrt(2 / (9 * inner)), (outer, inner, 3, 3))
        parameters[f"{name}.gamma"] = np.ones(outer)
        parameters[f"{name}.beta"] = np.zeros(outer)
    inner = CONVOLUTIONS[-1][2]
    parameters["dense.w"] = rng.normal(0, np.sqrt(1 / inner), (inner, CLASSES))
    parameters["dense.b"] = np.zeros(CLASSES)
    return parameters


def patches(x, stride):
    """One row for each output position, one column for each input channel and place of the kernel."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))[:, :, ::stride, ::stride]
    n, c, rows, cols = windows.shape[:4]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * rows * cols, 9 * c), (n, rows, cols)


def convolve(x, w, stride):
    columns, (n, rows, cols) = patches(x, stride)
    y = (columns @ w.reshape(len(w), -1).T).reshape(n, rows, cols, len(w)).transpose(0, 3, 1, 2)
    return y, columns


def convolve_back(dy, columns, w, stride, shape):
    """Gradients of the input, whose shape is given, and of the weights."""
    n, outer, rows, cols = dy.shape
    flat = dy.transpose(0, 2, 3, 1).reshape(-1, outer)
    dw = (flat.T @ columns).reshape(w.shape)
    parts = (flat @ w.reshape(outer, -1)).reshape(n, rows, cols, shape[1], 3, 3)
    padded = np.zeros((shape[0], shape[1], shape[2] + 2, shape[3] + 2))
    for i in range(3):
        for j in range(3):
            part = parts[:, :, :, :, i, j].transpose(0, 3, 1, 2)
            padded[:, :, i : i + stride * rows : stride, j : j + stride * cols : stride] += part
    return padded[:, :, 1:-1, 1:-1], dw


def max_pool(x):
    """Windows of 2 x 2; also where the maxima are, for the way back."""
    n, c, rows, cols = x.shape
    windows = (
        x.reshape(n, c, rows // 2, 2, cols // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, rows // 2, cols // 2, 4)
    )
    return windows.max(axis=-1), windows.argmax(axis=-1)


def max_pool_back(dy, places):
    n, c, rows, cols = dy.shape
    windows = np.where(np.arange(4) == places[..., None], dy[..., None], 0)
    return windows.reshape(n, c, rows, cols, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * rows, 2 * cols)


def normalize(x, gamma, beta):
    """Batch normalization with the batch's own statistics."""
    mean = x.mean(axis=(0, 2, 3), keepdims=True)
    variance = x.var(axis=(0, 2, 3), keepdims=True)
    normal = (x - mean) / np.sqrt(variance + EPSILON)
    return normal * gamma[:, None, None] + beta[:, None, None], (normal, variance, mean)


def normalize_back(dy, gamma, normal, variance):
    axes = (0, 2, 3)
    dgamma, dbeta = (dy * normal).sum(axis=axes), dy.sum(axis=axes)
    inner = dy * gamma[:, None, None]
    mean, slope = inner.mean(axis=axes, keepdims=True), (inner * normal).mean(axis=axes, keepdims=True)
    return (inner - mean - normal * slope) / np.sqrt(variance + EPSILON), dgamma, dbeta


def keep(_, values):
    return values


def forward(parameters, x, weight=keep, activation=keep):
    """Logits, and every tensor by its name. Convolutions with a `gamma` are normalized by the batch, others add a bias.

    `weight` and `activation` replace a tensor, given its name, by what a quantizer makes of it; they pass gradients
    through.
    """
    t = {"image": activation("image", x)}

    def convolution(source, name, stride):
        w = t[f"{name}.used"] = weight(name, parameters[f"{name}.w"])
        y, t[f"{name}.columns"] = convolve(t[source], w, stride)
        if f"{name}.gamma" in parameters:
            y, t[f"{name}.norm"] = normalize(y, parameters[f"{name}.gamma"], parameters[f"{name}.beta"])
            return y
        return y + parameters[f"{name}.b"][:, None, None]

    t["sum1"] = convolution("image", "conv1", 1)
    t["relu1"] = activation("relu1", np.maximum(t["sum1"], 0))
    t["pool"], t["places"] = max_pool(t["relu1"])
    t["sum2"] = convolution("pool", "conv2", 2)
    t["relu2"] = activation("relu2", np.maximum(t["sum2"], 0))
    t["sum3"] = activation("sum3", convolution("relu2", "conv3", 1))
    t["sum4"] = t["relu2"] + t["sum3"]
    t["relu3"] = activation("relu3", np.maximum(t["sum4"], 0))
    t["mean"] = activation("mean", t["relu3"].mean(axis=(2, 3)))
    w = t["dense.used"] = weight("dense", parameters["dense.w"])
    t["logits"] = t["mean"] @ w + parameters["dense.b"]
    return t["logits"], t


def backward(parameters, t, error):
    """Gradients of all parameters from the gradient of the logits."""
    gradients = {"dense.w": t["mean"].T @ error, "dense.b": error.sum(axis=0)}

    def convolution(dy, source, name, stride):
        if f"{name}.gamma" in parameters:
            normal, variance, _ = t[f"{name}.norm"]
            dy, gradients[f"{name}.gamma"], gradients[f"{name}.beta"] = normalize_back(
                dy, parameters[f"{name}.gamma"], normal, variance
            )
        else:
            gradients[f"{name}.b"] = dy.sum(axis=(0, 2, 3))
        dx, gradients[f"{name}.w"] = convolve_back(dy, t[f"{name}.columns"], t[f"{name}.used"], stride, t[source].shape)
        return dx

    rows, cols = t["relu3"].shape[2:]
    back = (error @ t["dense.used"].T)[:, :, None, None] / (rows * cols) * (t["sum4"] > 0)
    back = (back + convolution(back, "relu2", "conv3", 1)) * (t["sum2"] > 0)
    back = max_pool_back(convolution(back, "pool", "conv2", 2), t["places"]) * (t["sum1"] > 0)
    convolution(back, "image", "conv1", 1)
    return gradients


def train(parameters, images, labels, rng, epochs, rate, batch=32, decay=1e-4, weight=keep, activation=keep):
    """Adam on the cross-entropy of softmax(logits), the rate falling to 0 as half a cosine. Changes `parameters`."""
    means = {name: np.zeros_like(value) for name, value in parameters.items()}
    squares = {name: np.zeros_like(value) for name, value in parameters.items()}
    one_hot = np.eye(CLASSES)[labels]
    steps = epochs * -(-len(images) // batch)
    step = 0
    for _ in range(epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(images), batch):
            rows = order[start : start + batch]
            logits, tensors = forward(parameters, images[rows], weight, activation)
            exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
            error = (exponents / exponents.sum(axis=1, keepdims=True) - one_hot[rows]) / len(rows)
            step += 1
            current = rate * (1 + np.cos(np.pi * step / steps)) / 2
            for name, gradient in backward(parameters, tensors, error).items():
                means[name] = 0.9 * means[name] + 0.1 * gradient
                squares[name] = 0.999 * squares[name] + 0.001 * gradient**2
                update = means[name] / (1 - 0.9**step) / (np.sqrt(squares[name] / (1 - 0.999**step)) + 1e-8)
                parameters[name] = parameters[name] - current * (update + decay * parameters[name])


def statistics(parameters, images):
    """Mean and variance before each normalization over all images: what inference normalizes by."""
    _, tensors = forward(parameters, images)
    return {name: tuple(np.squeeze(part) for part in tensors[f"{name}.norm"][:0:-1]) for name, *_ in CONVOLUTIONS}


def folded(parameters, statistics_of, names):
    """The same network with the normalizations of `names` in the weights and biases of their convolutions."""
    result = dict(parameters)
    for name in names:
        mean, variance = statistics_of[name]
        slope = result.pop(f"{name}.gamma") / np.sqrt(variance + EPSILON)
        result[f"{name}.w"] = result[f"{name}.w"] * slope[:, None, None, None]
        result[f"{name}.b"] = result.pop(f"{name}.beta") - mean * slope
    return result
