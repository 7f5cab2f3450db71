//! The digits network and its data, from files.

use calibrate::Linear;
use npyz::npz::NpzArchive;
use std::path::Path;

#[allow(dead_code)] // Each test reads what it needs of them.
pub struct Digits {
    pub layers: Vec<Linear>,
    /// 256 x 64.
    pub calibration: Vec<f32>,
    pub calibration_labels: Vec<usize>,
    /// 360 x 64.
    pub test: Vec<f32>,
    pub labels: Vec<usize>,
}

fn array<T: npyz::Deserialize>(path: &Path, name: &str) -> (Vec<usize>, Vec<T>) {
    let fail = |error: std::io::Error| panic!("{}, array {name}: {error}", path.display());
    let mut archive = NpzArchive::open(path).unwrap_or_else(fail);
    let file = archive.by_name(name).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = file.unwrap_or_else(|| panic!("{} has no array {name}", path.display()));
    assert_eq!(file.order(), npyz::Order::C, "{name} must be row-major");
    let shape = file.shape().iter().map(|&dim| dim as usize).collect();
    (shape, file.into_vec().unwrap_or_else(|error| panic!("{}, array {name}: {error}", path.display())))
}

pub fn digits() -> Digits {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (weights, data) = (here.join("tests/data/mlp.npz"), here.join("../examples/digits/digits.npz"));
    let layer = |number: usize| {
        let (shape, weight) = array(&weights, &format!("w{number}"));
        let (_, bias) = array(&weights, &format!("b{number}"));
        Linear { k: shape[0], n: shape[1], weights: weight, bias, relu: number == 1 }
    };
    let labels = |name| array::<i64>(&data, name).1.into_iter().map(|label| label as usize).collect::<Vec<usize>>();
    Digits {
        layers: vec![layer(1), layer(2)],
        calibration: array(&data, "calibration").1,
        calibration_labels: labels("calibration_labels"),
        test: array(&data, "test").1,
        labels: labels("labels"),
    }
}
