use super::*;

fn sources(width: &str, seed: u32) -> Sources {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits/sweep");
    Sources {
        model: folder.join(format!("mlp-w{width}-s{seed}.onnx")),
        data: folder.join(format!("digits-s{seed}.npz")),
    }
}

#[test]
fn files_are_read_once() {
    let bench = Workbench::new(Workbench::MOST_BYTES);
    let first = bench.subject(&sources("1", 0)).expect("the files are there");
    let threads: Vec<Arc<Subject>> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4).map(|_| scope.spawn(|| bench.subject(&sources("1", 0)))).collect();
        readers.into_iter().map(|reader| reader.join().expect("no panic").expect("it is there")).collect()
    });
    assert!(threads.iter().all(|subject| Arc::ptr_eq(subject, &first)));
    assert_eq!(bench.held(), 1);
}

#[test]
fn what_was_not_used_for_longest_is_dropped() {
    let bench = Workbench::new(Workbench::MOST_BYTES);
    let first = bench.subject(&sources("1", 0)).expect("the files are there");
    // Two of them fit, three do not.
    let bench = Workbench::new(first.bytes() * 5 / 2);
    let [a, b, c] = [0, 1, 2].map(|seed| sources("1", seed));
    let of_a = bench.subject(&a).expect("the files are there");
    let of_b = bench.subject(&b).expect("the files are there");
    bench.subject(&a).expect("it is held");
    bench.subject(&c).expect("the files are there");
    assert_eq!(bench.held(), 2);
    assert!(Arc::ptr_eq(&of_a, &bench.subject(&a).expect("it is held")));
    assert!(!Arc::ptr_eq(&of_b, &bench.subject(&b).expect("it is read again")));
}

#[test]
fn files_that_are_not_as_they_must_be_fail() {
    let bench = Workbench::new(Workbench::MOST_BYTES);
    let good = sources("1", 0);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
    let failure = |model: &Path, data: &Path| {
        let error = bench.subject(&Sources { model: model.to_owned(), data: data.to_owned() }).err().expect("it fails");
        assert!(matches!(error, MeasureError::Failed(_)), "{error}");
        error.to_string()
    };
    let missing = Path::new("/nowhere/net.onnx");
    assert!(failure(missing, &good.data).starts_with("cannot read /nowhere/net.onnx: No such file"));
    let missing = Path::new("/nowhere/data.npz");
    assert!(failure(&good.model, missing).starts_with("cannot read /nowhere/data.npz: No such file"));
    assert!(failure(&good.data, &good.data).starts_with(&format!("{}: ", good.data.display())));
    let quantized = examples.join("cnn-qonnx.onnx");
    let text = format!("{} is quantized already: a sweep quantizes float networks itself", quantized.display());
    assert_eq!(failure(&quantized, &good.data), text);
    // The rest is there, so that another point can still use it.
    bench.subject(&good).expect("the files are there");
}

#[test]
fn labels_are_needed_and_are_classes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let failure = |labels: Option<&[i64]>| {
        let mut npz = compiler::npz::NpzBuilder::new();
        for name in ["calibration", "test"] {
            npz.array(name, &[2, 64], &[0.5_f32; 128]).expect("memory");
        }
        if let Some(labels) = labels {
            npz.array("labels", &[labels.len()], labels).expect("memory");
        }
        let path = folder.path().join("data.npz");
        std::fs::write(&path, npz.finish().expect("memory")).expect("a file");
        let sources = Sources { data: path.clone(), ..sources("1", 0) };
        let error = Workbench::new(Workbench::MOST_BYTES).subject(&sources).err().expect("it fails");
        error.to_string().replace(&path.display().to_string(), "DATA")
    };
    assert_eq!(failure(None), "DATA has no array labels: accuracy needs the class of each row of test");
    assert_eq!(failure(Some(&[1, 10])), "DATA: label 10 must be in 0..10, the network's outputs");
}
