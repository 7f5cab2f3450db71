"""Writes SCALE-Sim's topology files from the networks' published definitions. Needs Python alone. See README.md."""

from pathlib import Path

HERE = Path(__file__).parent
CONVOLUTIONS = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"
PRODUCTS = "Layer, M, N, K,"


def convolution(name, output, kernel, channels, filters, stride):
    """The input's size is what the windows of `output` x `output` positions read of the padded image."""
    size = (output - 1) * stride + kernel
    return (name, size, size, kernel, kernel, channels, filters, stride)


def resnet18():
    """Stages of two blocks of two convolutions; one that changes the size has a 1 x 1 convolution beside its first."""
    yield convolution("conv1", 112, 7, 3, 64, 2)
    channels, size = 64, 56
    for stage, filters in enumerate((64, 128, 256, 512), 2):
        for block in (1, 2):
            stride = 2 if block == 1 and stage > 2 else 1
            size //= stride
            yield convolution(f"conv{stage}_{block}a", size, 3, channels, filters, stride)
            yield convolution(f"conv{stage}_{block}b", size, 3, filters, filters, 1)
            if channels != filters:
                yield convolution(f"conv{stage}_shortcut", size, 1, channels, filters, stride)
            channels = filters
    yield convolution("fc", 1, 1, channels, 1000, 1)


def mobilenet_v1():
    """Pairs of a depthwise 3 x 3 and a 1 x 1 convolution.

    A depthwise row is one channel; as many of them are run as the next row has channels.
    """
    yield convolution("conv1", 112, 3, 3, 32, 2)
    channels, size = 32, 112
    pairs = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for number, (filters, stride) in enumerate(pairs, 2):
        size //= stride
        yield convolution(f"conv{number}_dw", size, 3, 1, 1, stride)
        yield convolution(f"conv{number}_pw", size, 1, channels, filters, 1)
        channels = filters
    yield convolution("fc", 1, 1, channels, 1000, 1)


def transformer_encoder(tokens=197, width=768, heads=12, hidden=3072):
    """The products of one block; attention's two by head."""
    yield "qkv", tokens, 3 * width, width
    for head in range(heads):
        yield f"scores_{head}", tokens, tokens, width // heads
    for head in range(heads):
        yield f"context_{head}", tokens, width // heads, tokens
    yield "projection", tokens, width, width
    yield "mlp_1", tokens, hidden, width
    yield "mlp_2", tokens, width, hidden


def main():
    files = {
        "resnet18.csv": (CONVOLUTIONS, resnet18()),
        "mobilenet_v1.csv": (CONVOLUTIONS, mobilenet_v1()),
        "transformer_encoder.csv": (PRODUCTS, transformer_encoder()),
    }
    for name, (header, rows) in files.items():
        lines = [header] + [", ".join(map(str, row)) + "," for row in rows]
        (HERE / name).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
