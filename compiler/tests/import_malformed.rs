//! Models that are no models: each is refused in words, and none makes the importer panic.

mod onnx_parts;

use compiler::npz::Npz;
use compiler::onnx::proto::{Graph, Node, StringEntry, Tensor, FLOAT, INT4};
use compiler::onnx::{import, ImportOptions, ModelFile};
use onnx_parts::{filled, floats, graph, int, int8, ints, list, node, refused, text, value, with};

/// y = conv(x): 2 channels of 4 x 4 to 3.
fn conv() -> Graph {
    graph(
        &[2, 4, 4],
        vec![node("c", "Conv", &["x", "w", "b"], "y")],
        vec![filled("w", &[3, 2, 3, 3], 0.5), filled("b", &[3], 1.0)],
    )
}

/// y = dq(q(matmul(dq(q(x)), dq(w)))).
fn quantized() -> Graph {
    let nodes = vec![
        node("q", "QuantizeLinear", &["x", "s", "z"], "xq"),
        node("d", "DequantizeLinear", &["xq", "s", "z"], "xd"),
        node("dw", "DequantizeLinear", &["w", "ws", "z"], "wd"),
        node("m", "MatMul", &["xd", "wd"], "h"),
        node("q2", "QuantizeLinear", &["h", "s", "z"], "hq"),
        node("d2", "DequantizeLinear", &["hq", "s", "z"], "y"),
    ];
    let tensors = vec![
        floats("s", &[], &[0.5]),
        int8("z", &[], &[0]),
        floats("ws", &[], &[0.25]),
        int8("w", &[2, 3], &[1, -2, 3, -4, 5, -6]),
    ];
    graph(&[2], nodes, tensors)
}

fn edited(mut graph: Graph, edit: impl FnOnce(&mut Graph)) -> Graph {
    edit(&mut graph);
    graph
}

fn tensor<'g>(graph: &'g mut Graph, name: &str) -> &'g mut Tensor {
    graph.initializer.iter_mut().find(|tensor| tensor.name == name).expect("it is there")
}

/// The convolution with an attribute.
fn attributed(attribute: compiler::onnx::proto::Attribute) -> Graph {
    edited(conv(), |g| g.node[0].attribute.push(attribute))
}

/// One node between x and y.
fn one(dims: &[i64], node: Node, tensors: Vec<Tensor>) -> Graph {
    graph(dims, vec![node], tensors)
}

#[test]
fn malformed_models_are_refused_in_words() {
    let cases: Vec<(Graph, &str)> = vec![
        (
            edited(conv(), |g| g.node[0].input[0] = "nowhere".to_owned()),
            "node c (Conv) reads value nowhere, which nothing makes",
        ),
        (edited(conv(), |g| g.output[0].name = "z".to_owned()), "output z is made by no node"),
        (
            edited(conv(), |g| g.output.push(value("x", FLOAT, &[]))),
            "the graph has the outputs [\"y\", \"x\"]: it must have exactly one that is not an initializer",
        ),
        (
            edited(conv(), |g| g.input.push(value("x2", FLOAT, &[2]))),
            "the graph has the inputs [\"x\", \"x2\"]: it must have exactly one that is not an initializer",
        ),
        (
            edited(conv(), |g| g.node.push(node("r", "Relu", &["x"], "y"))),
            "value y is made by [\"c\", \"r\"]: it must have one maker",
        ),
        (
            edited(conv(), |g| g.node.push(node("r", "Relu", &["y"], "w"))),
            "value w is made by [\"an initializer\", \"r\"]: it must have one maker",
        ),
        (
            edited(conv(), |g| g.node.push(node("r", "Relu", &["y"], "x"))),
            "value x is made by [\"the graph's input\", \"r\"]: it must have one maker",
        ),
        (
            edited(conv(), |g| g.initializer.push(filled("w", &[1], 1.0))),
            "value w is made by [\"an initializer\", \"another initializer\"]: it must have one maker",
        ),
        (
            graph(&[2], vec![node("a", "Add", &["x", "q"], "p"), node("b", "Relu", &["p"], "q"), node("c", "Relu", &["q"], "y")], vec![]),
            "nodes [\"a\", \"b\", \"c\"] read each other's outputs in a cycle",
        ),
        (
            edited(conv(), |g| g.input[0] = value("x", FLOAT, &[2, 0, 4])),
            "input x has the shape [?, 2, 0, 4]: every dimension but the first (the batch) must be a positive number",
        ),
        (
            edited(conv(), |g| g.input[0] = value("x", FLOAT, &[])),
            "input x has the shape [?]: every dimension but the first (the batch) must be a positive number",
        ),
        (
            edited(conv(), |g| g.input[0] = value("x", FLOAT, &[2, -1, 4])),
            "input x: dimension size has no size: bind it, for example size=16",
        ),
        (
            edited(conv(), |g| g.input[0] = value("x", FLOAT, &[2, 4, -3])),
            "input x: dimension x:3 has no size: bind it, for example x:3=16",
        ),
        (
            edited(conv(), |g| g.input[0] = value("x", FLOAT, &[1 << 20, 1 << 20, 1 << 40])),
            "input x has [1048576, 1048576, 1099511627776] elements after the batch: they must be at most 67108864",
        ),
        (
            edited(conv(), |g| g.input[0] = value("x", 11, &[2, 4, 4])),
            "input x has ONNX data type 11: it must be float32 or an integer of at most 16 bits",
        ),
        (
            edited(conv(), |g| tensor(g, "w").dims[0] = 4),
            "tensor w has the shape [4, 2, 3, 3], but its data makes 54 elements",
        ),
        (
            edited(conv(), |g| tensor(g, "w").dims = vec![i64::MAX, i64::MAX]),
            "tensor w has the shape [9223372036854775807, 9223372036854775807], but its data makes 0 elements",
        ),
        (
            edited(conv(), |g| tensor(g, "w").dims[0] = -3),
            "tensor w has the shape [-3, 2, 3, 3], but its data makes 0 elements",
        ),
        (
            edited(conv(), |g| tensor(g, "w").raw_data = vec![0; 17].into()),
            "tensor w has the shape [3, 2, 3, 3], but its data makes 4 elements",
        ),
        (
            edited(conv(), |g| tensor(g, "w").float_data[7] = f32::INFINITY),
            "tensor w holds inf at element 7: every value must be finite",
        ),
        (
            edited(conv(), |g| tensor(g, "w").data_type = 17),
            "tensor w has ONNX data type 17: it must be 1 (float32), 7 (int64) or an integer of 4, 8, 16 or 32 bits but uint32",
        ),
        (
            edited(conv(), |g| *tensor(g, "w") = filled("w", &[3, 4, 3, 3], 1.0)),
            "node c (Conv): the weights: given [3, 4, 3, 3], expected [n, 2 channels / 1 groups, rows, columns], n a multiple of the groups",
        ),
        (
            edited(conv(), |g| *tensor(g, "b") = filled("b", &[2], 1.0)),
            "node c (Conv): the bias: given [2], expected [3]",
        ),
        (attributed(int("group", 0)), "node c (Conv): the weights: given [3, 2, 3, 3], expected [n, 2 channels / 0 groups, rows, columns], n a multiple of the groups"),
        (
            attributed(list("kernel_shape", &[3, 2])),
            "node c (Conv): attribute kernel_shape = [3, 2] must be [3, 3], the weights'",
        ),
        (attributed(list("strides", &[1, 0])), "node c (Conv): attribute strides = [1, 0] must be 2 numbers in 1..=1048576"),
        (attributed(list("strides", &[1])), "node c (Conv): attribute strides = [1] must be 2 numbers in 1..=1048576"),
        (attributed(list("pads", &[1, 1])), "node c (Conv): attribute pads = [1, 1] must be 4 numbers in 0..=1048576"),
        (
            attributed(list("dilations", &[2, 1])),
            "node c (Conv): window: the kernel reaches over 5 positions of a padded input of 4",
        ),
        (
            attributed(text("auto_pad", "SAME")),
            "node c (Conv): attribute auto_pad = SAME must be NOTSET, VALID, SAME_UPPER or SAME_LOWER",
        ),
        (
            edited(conv(), |g| g.node[0].input.truncate(1)),
            "node c (Conv): its weights must be there",
        ),
        (
            edited(conv(), |g| g.node[0].output = vec![String::new()]),
            "output y is made by no node",
        ),
        (
            one(&[2, 3], with(node("f", "Flatten", &["x"], "y"), int("axis", 5)), vec![]),
            "node f (Flatten): attribute axis = 5 must be in -4..=3",
        ),
        (
            one(&[2, 3], with(node("t", "Transpose", &["x"], "y"), list("perm", &[0, 2, 2])), vec![]),
            "node t (Transpose): attribute perm = [0, 2, 2] must be a permutation of 0..=2",
        ),
        (
            one(&[2, 3], with(node("r", "ReduceMean", &["x"], "y"), list("axes", &[-4])), vec![]),
            "node r (ReduceMean): attribute axes = -4 must be in -3..=2",
        ),
        (
            one(&[2, 3], node("s", "Squeeze", &["x", "a"], "y"), vec![ints("a", &[1])]),
            "node s (Squeeze): attribute axes = 1 must be dimensions of size 1, not 2",
        ),
        (
            one(&[2], node("g", "Gemm", &["x", "w"], "y"), vec![filled("w", &[3, 2], 1.0)]),
            "node g (Gemm): the weights: given [3, 2], expected [2, n]",
        ),
        (
            one(&[4, 4, 4], node("p", "MaxPool", &["x"], "y"), vec![]),
            "node p (MaxPool): its kernel_shape must be there",
        ),
        (
            edited(quantized(), |g| tensor(g, "s").float_data[0] = 0.0),
            "node q (QuantizeLinear): tensor s: scale[0] = 0e0 must be positive, finite and normal",
        ),
        (
            edited(quantized(), |g| tensor(g, "ws").float_data[0] = -0.5),
            "node dw (DequantizeLinear): tensor ws: scale[0] = -5e-1 must be positive, finite and normal",
        ),
        (
            edited(quantized(), |g| tensor(g, "s").float_data[0] = f32::NAN),
            "tensor s holds NaN at element 0: every value must be finite",
        ),
        (
            edited(quantized(), |g| tensor(g, "w").int32_data[2] = 200),
            "tensor w holds 200 at element 2, which is no int8",
        ),
        (
            edited(quantized(), |g| {
                *tensor(g, "w") = Tensor { data_type: INT4, ..int8("w", &[2, 3], &[0x21, 0x43]) };
                g.node[2].input.truncate(2);
            }),
            "tensor w has the shape [2, 3], but its data makes 4 elements",
        ),
        (
            edited(quantized(), |g| g.initializer[2] = floats("ws", &[2], &[0.5, 0.25])),
            "node dw (DequantizeLinear): the scales: given [2], expected one, or one a place of an axis of [2, 3]",
        ),
        (
            edited(quantized(), |g| {
                g.initializer[2] = floats("ws", &[3], &[0.5, 0.25, 1.0]);
                g.node[2].attribute.push(int("axis", 4));
            }),
            "node dw (DequantizeLinear): attribute axis = 4 must be in -2..=1",
        ),
        (graph(&[2], vec![node("i", "Identity", &["x"], "y")], vec![]), "output y is the network's input: no node computes anything"),
    ];
    assert!(cases.len() >= 25);
    for (graph, expected) in cases {
        assert_eq!(refused(graph), expected);
    }
}

#[test]
fn bindings_are_checked() {
    let model = onnx_parts::file(edited(conv(), |g| g.input[0] = value("x", FLOAT, &[2, -1, -3])));
    let bound = |dimensions: &[(&str, usize)]| {
        let dimensions = dimensions.iter().map(|&(name, size)| (name.to_owned(), size)).collect();
        import(&model, &ImportOptions { dimensions }).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(bound(&[("size", 4), ("x:3", 5)]), Ok(()));
    assert_eq!(
        bound(&[("size", 4), ("x:3", 5), ("height", 4)]),
        Err("dimension height is bound to 4: it must be a dimension without a size of input x, after the batch: [\"size\", \"x:3\"]".to_owned())
    );
    assert!(bound(&[("size", 0), ("x:3", 5)]).is_err_and(|error| error.starts_with("input x has the shape")));
}

#[test]
fn long_chains_of_constants_are_refused() {
    let mut nodes: Vec<Node> =
        (0..100_000).map(|at| node("", "Identity", &[&format!("c{at}")], &format!("c{}", at + 1))).collect();
    nodes.push(node("a", "Add", &["x", "c100000"], "y"));
    assert_eq!(
        refused(graph(&[2], nodes, vec![floats("c0", &[], &[1.0])])),
        "node -> c99969 (Identity) needs constants through 33 nodes: at most 32 are followed"
    );
}

/// A folder of its own, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("systole-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of a failed test does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn external_data_is_read_from_the_models_folder_only() {
    use prost::Message;
    let folder = Folder::new("external");
    let weights: Vec<f32> = (0..54).map(|w| w as f32 / 8.0).collect();
    let bytes: Vec<u8> = std::iter::once(0.0).chain(weights.clone()).flat_map(|w: f32| w.to_le_bytes()).collect();
    std::fs::write(folder.0.join("w.bin"), &bytes).expect("it is written");
    let outside = folder.0.with_extension("outside");
    std::fs::write(&outside, &bytes).expect("it is written");
    std::os::unix::fs::symlink(&outside, folder.0.join("link.bin")).expect("a link");
    let read = |entries: &[(&str, &str)]| {
        let graph = edited(conv(), |g| {
            let w = tensor(g, "w");
            w.float_data.clear();
            w.data_location = 1;
            w.external_data = entries
                .iter()
                .map(|&(key, value)| StringEntry { key: key.to_owned(), value: value.to_owned() })
                .collect();
        });
        let model = compiler::onnx::proto::Model { ir_version: 10, graph: Some(graph), opset_import: Vec::new() };
        let path = folder.0.join("model.onnx");
        std::fs::write(&path, model.encode_to_vec()).expect("it is written");
        let file = ModelFile::read(&path).expect("it is read");
        import(&file, &ImportOptions::default()).map_err(|error| error.to_string())
    };
    let inline = edited(conv(), |g| tensor(g, "w").float_data = weights);
    assert_eq!(read(&[("location", "w.bin"), ("offset", "4"), ("length", "216")]), onnx_parts::read(inline));
    let error = |entries: &[(&str, &str)]| read(entries).expect_err("it is refused");
    let tensor = "tensor w of node c: its external data";
    assert_eq!(
        error(&[("location", "../w.bin"), ("length", "216")]),
        format!("{tensor} \"../w.bin\" must be a path inside the model's folder")
    );
    assert_eq!(error(&[("length", "216")]), format!("{tensor} \"\" must be a path inside the model's folder"));
    assert_eq!(
        error(&[("location", outside.to_str().expect("a text"))]),
        format!("{tensor} {outside:?} must be a path inside the model's folder")
    );
    assert_eq!(
        error(&[("location", "link.bin")]),
        format!("{tensor} \"link.bin\" must be a path inside the model's folder")
    );
    assert_eq!(
        error(&[("location", "none.bin")]),
        format!("{tensor} \"none.bin\" cannot be read: No such file or directory (os error 2)")
    );
    assert_eq!(
        error(&[("location", "w.bin"), ("offset", "8"), ("length", "216")]),
        format!("{tensor} \"w.bin\" has 220 bytes: 216 from byte 8 on are asked for")
    );
    assert_eq!(
        error(&[("location", "w.bin"), ("offset", "18446744073709551615"), ("length", "216")]),
        format!("{tensor} \"w.bin\" has 220 bytes: 216 from byte 18446744073709551615 on are asked for")
    );
    assert_eq!(
        error(&[("location", "w.bin")]),
        format!("{tensor} \"w.bin\" has 220 bytes, but the tensor's shape makes 216")
    );
    assert_eq!(
        error(&[("location", "w.bin"), ("offset", "four")]),
        format!("{tensor} \"w.bin\" has the offset \"four\": it must be a whole number")
    );
    std::fs::remove_file(outside).expect("it is there");
}

#[test]
fn models_in_memory_have_no_external_data() {
    let graph = edited(conv(), |g| {
        let entry = StringEntry { key: "location".to_owned(), value: "w.bin".to_owned() };
        tensor(g, "w").external_data.push(entry);
    });
    assert_eq!(
        refused(graph),
        "tensor w of node c: its external data \"w.bin\" cannot be read: the model was not read from a folder"
    );
}

#[test]
fn files_that_are_too_large_or_missing_are_refused() {
    let folder = Folder::new("large");
    let path = folder.0.join("large.onnx");
    let file = std::fs::File::create(&path).expect("a file");
    // A hole: it takes no room.
    file.set_len(ModelFile::MOST_BYTES + 1).expect("a hole");
    let error = |path: &std::path::Path| ModelFile::read(path).expect_err("it is refused").to_string();
    let expected = format!(
        "{} has 2147483648 bytes: a file of a model has at most 2147483647, larger tensors lie in files of their own",
        path.display()
    );
    assert_eq!(error(&path), expected);
    let missing = folder.0.join("missing.onnx");
    assert_eq!(error(&missing), format!("cannot read {}: No such file or directory (os error 2)", missing.display()));
}

/// Numbers of a linear congruence.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// Damaged models: an error, or a network whose layers fit each other.
#[test]
fn damaged_models_do_not_panic() {
    const SEED: u64 = 7;
    let mut models = vec![include_bytes!("../../examples/digits/mlp.onnx").to_vec()];
    let mut npz = Npz::new(include_bytes!("data/import.npz").to_vec()).expect("an archive");
    let index: Vec<serde_json::Value> = serde_json::from_str(&npz.text("index").expect("an index")).expect("it parses");
    let lengths: Vec<usize> = index.iter().map(|entry| entry["model"].as_u64().expect("a length") as usize).collect();
    let bytes = npz.integers("models", &[lengths.iter().sum()]).expect("models");
    let mut bytes = bytes.into_iter().map(|byte| byte as u8);
    models.extend(lengths.iter().map(|&len| bytes.by_ref().take(len).collect::<Vec<u8>>()));
    let (mut numbers, mut outcomes) = (Numbers(SEED), [0_usize; 3]);
    let mut read = |bytes: Vec<u8>| match ModelFile::decode(bytes) {
        Err(_) => outcomes[0] += 1,
        Ok(model) => outcomes[1 + usize::from(import(&model, &ImportOptions::default()).is_ok())] += 1,
    };
    for model in &models {
        for _ in 0..20 {
            read(model[..numbers.below(model.len())].to_vec());
        }
        for _ in 0..200 {
            let mut damaged = model.clone();
            for _ in 0..=numbers.below(3) {
                let at = numbers.below(damaged.len());
                damaged[at] = match numbers.below(3) {
                    0 => numbers.below(256) as u8,
                    1 => damaged[at] ^ 1 << numbers.below(8),
                    _ => damaged[numbers.below(damaged.len())],
                };
            }
            read(damaged);
        }
    }
    assert!(
        outcomes.iter().all(|&count| count > 100),
        "seed {SEED}: {outcomes:?} do not decode, are refused, are read"
    );
}
