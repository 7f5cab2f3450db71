# The commands that always work on a fresh Debian machine.

.PHONY: all demo test bench faults mutants vectors install

all: install
	cargo build --release

# Real networks on real data: a convolutional network in int8 as its ONNX file has it, then quantized to 4-bit weights here: golden,
# simulator, verilated RTL. Then the layers of ResNet-18's shape, one tie taken apart, and the design space: accuracy and
# cycles against bits over five trainings as a report, and what one PE costs on a device.
demo: install
	cargo run --release --quiet -- simulate --config spec/configs/default.toml \
	    --model examples/digits/cnn-qdq-int8.onnx --data examples/digits/digits.npz --rtl 32
	rm -rf target/demo
	cargo run --release --quiet -- quantize examples/digits/cnn.onnx --data examples/digits/digits.npz \
	    --weights 4 --activations 8 --method mse --per-channel -o target/demo/digits
	cargo run --release --quiet -- simulate --model target/demo/digits --data examples/digits/digits.npz --rtl 32
	cargo run --release --quiet -- simulate --config examples/shapes/resnet18.toml --topology examples/shapes/resnet18.csv
	cargo run --release --quiet -- explain -12 --multiplier 1073741824 --shift 33
	cargo run --release --quiet -- sweep examples/digits/sweep.toml --subset diagonal --results target/demo/digits.sqlite
	cargo run --release --quiet -- report target/demo/digits.sqlite -o target/demo/digits.html
	cargo run --release --quiet -- synth --config tiny --target ice40-hx8k --block pe --place

# Every test, doc tests included.
test: install
	cargo test --workspace
	cargo test --package systole-testbenches --features verilated --lib verilator

# The figures of docs/results.md.
bench: install
	cargo run --release --package systole-testbenches --example bench

# Plants each fault of testbenches/faults and of explore/faults and requires that its test catches it.
faults: install
	testbenches/faults/run.sh
	scripts/faults.sh explore/faults

# Changes one thing in golden at a time and requires that the stored vectors, or the test named, see it.
mutants: install
	scripts/faults.sh golden/mutants

# Remakes the vectors of other people's implementations; needs the network.
vectors:
	scripts/vectors.sh

install:
	@scripts/install.sh
