//! Reading npz files: the shipped one, and what is refused.

use compiler::npz::{Npz, NpzError};

const DIGITS: &[u8] = include_bytes!("../../examples/digits/digits.npz");
/// Written by numpy 2.4.6: `f64` [[0.5, -2]], `u8` [[1, 255]], `cube` 2 x 2 x 2 int16 0..8, `text` ["a"], `nan` [[nan]],
/// `fortran` a transposed 2 x 3 float32, `flat` [1, 2] float32.
const KINDS: &[u8] = include_bytes!("data/kinds.npz");

fn digits() -> Npz {
    Npz::new(DIGITS.to_vec()).expect("the shipped data opens")
}

fn kinds() -> Npz {
    Npz::new(KINDS.to_vec()).expect("the fixture opens")
}

#[test]
fn the_shipped_data_is_complete() {
    let mut npz = digits();
    assert_eq!(npz.names(), ["calibration", "calibration_labels", "labels", "test"]);
    let test = npz.matrix("test", 64).expect("readable");
    assert_eq!((test.rows, test.cols, test.values.len()), (360, 64, 360 * 64));
    assert_eq!(npz.matrix("calibration", 64).expect("readable").rows, 256);
    // Pixels are sixteenths.
    assert!(test.values.iter().all(|x| (0.0..=1.0).contains(x) && (x * 16.0).fract() == 0.0));
    let labels = npz.labels("labels", 360).expect("readable");
    for digit in 0..10 {
        let count = labels.iter().filter(|&&label| label == digit).count();
        assert!((34..=38).contains(&count), "{count} of digit {digit}: the split is stratified");
    }
}

#[test]
fn element_types_are_converted() {
    let mut npz = kinds();
    assert_eq!(npz.matrix("f64", 2).expect("readable").values, [0.5, -2.0]);
    assert_eq!(npz.matrix("u8", 2).expect("readable").values, [1.0, 255.0]);
    let cube = npz.matrix("cube", 4).expect("readable");
    assert_eq!((cube.rows, cube.values), (2, (0_u8..8).map(f32::from).collect()));
}

#[test]
fn refusals_say_what_is_there() {
    let mut npz = digits();
    let errors = [
        npz.matrix("train", 64).map(drop),
        npz.matrix("test", 32).map(drop),
        npz.labels("labels", 5).map(drop),
        npz.labels("test", 360).map(drop),
        kinds().matrix("text", 1).map(drop),
        kinds().matrix("nan", 1).map(drop),
        kinds().matrix("fortran", 2).map(drop),
        kinds().matrix("flat", 2).map(drop),
    ]
    .map(|result| result.expect_err("refused").to_string());
    assert_eq!(
        errors,
        [
            "the archive has no array train; it has [\"calibration\", \"calibration_labels\", \"labels\", \"test\"]",
            "array test has the shape [360, 64]: it must be (rows, 32), of at least one row",
            "array labels has the shape [360]: it must be (5,), one label per row",
            "array test has the element type '<f4': it must be an integer",
            "array text has the element type '<U1': it must be a float of 4 or 8 bytes or an integer",
            "array nan holds NaN at element 0: every value must be finite",
            "array fortran is stored column by column: save numpy.ascontiguousarray of it",
            "array flat has the shape [2]: it must be (rows, 2), of at least one row",
        ]
    );
}

#[test]
fn a_truncated_or_damaged_archive_is_an_error() {
    for len in (0..DIGITS.len()).step_by(97) {
        assert!(matches!(Npz::new(DIGITS[..len].to_vec()), Err(NpzError::Archive(_))), "{len} bytes");
    }
    let mut bytes = DIGITS.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0x55);
    let mut npz = Npz::new(bytes).expect("the directory at the end is whole");
    let damaged = |result: Result<(), NpzError>| matches!(result, Err(NpzError::Damaged { .. }));
    assert!(damaged(npz.matrix("test", 64).map(drop)) || damaged(npz.matrix("calibration", 64).map(drop)));
}
