//! Codebooks: levels by hand, the nearest by search, and what is refused.

use golden::{Codebook, Kind, QFormat, Range};

fn int(bits: u32) -> QFormat {
    QFormat::full(bits, true).expect("it exists")
}

#[test]
fn levels_are_those_made_by_hand() {
    let po2 = Codebook::powers_of_two(int(8), 4).expect("they fit");
    assert_eq!(po2.levels(), [-8, -4, -2, -1, 0, 1, 2, 4, 8]);
    assert_eq!(Codebook::powers_of_two(int(8), 0).expect("zero alone").levels(), [0]);
    // Exponents 0, 2 and 1, 3: 0, 1, 4 and 0, 2, 8.
    let apot = Codebook::additive_powers_of_two(int(8), 2, 4).expect("they fit");
    assert_eq!(apot.levels(), [-12, -9, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 9, 12]);
    let one = Codebook::additive_powers_of_two(int(8), 1, 3).expect("they fit");
    assert_eq!(one.levels(), [-4, -2, -1, 0, 1, 2, 4]);
    assert_eq!((Codebook::ternary().levels(), Codebook::ternary().format()), (&[-1, 0, 1][..], QFormat::TERNARY));
    assert_eq!((Codebook::binary().levels(), Codebook::binary().format()), (&[-1, 1][..], QFormat::BIPOLAR));
}

#[test]
fn an_index_takes_the_bits_that_number_the_levels() {
    for (n, bits) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (16, 4), (17, 5), (65_536, 16)] {
        let levels = (0..n).collect();
        assert_eq!(Codebook::new(int(32), levels).expect("ascending").index_bits(), bits, "{n} levels");
    }
}

/// The nearest level by trying all, in whole numbers: twice the value may be a half.
fn searched(levels: &[i32], twice: i64) -> i32 {
    let key = |&level: &i32| {
        let level = i64::from(level);
        ((2 * level - twice).abs(), -level.abs(), -level)
    };
    levels.iter().copied().min_by_key(key).expect("not empty")
}

#[test]
fn the_nearest_level_is_the_one_that_a_search_finds() {
    let books = [
        Codebook::powers_of_two(int(8), 6),
        Codebook::additive_powers_of_two(int(8), 2, 6),
        Codebook::additive_powers_of_two(int(8), 3, 6),
        Codebook::new(int(8), vec![-100, -31, -30, 2, 9, 127]),
        Codebook::new(int(8), vec![5]),
        Codebook::new(QFormat::full(8, false).expect("it exists"), vec![0, 1, 7, 200]),
        Ok(Codebook::ternary()),
        Ok(Codebook::binary()),
    ];
    let mut ties = 0;
    for book in books {
        let book = book.expect("it exists");
        for twice in -300..=300_i64 {
            let steps = twice as f64 / 2.0;
            let expected = searched(book.levels(), twice);
            assert_eq!(book.nearest(steps), expected, "{steps} in {:?}", book.levels());
            assert_eq!(book.levels()[book.nearest_index(steps)], expected);
            let distance = |level: i32| (2 * i64::from(level) - twice).abs();
            ties += i32::from(book.levels().iter().filter(|&&l| distance(l) == distance(expected)).count() > 1);
        }
    }
    assert!(ties > 50, "{ties} ties");
}

#[test]
fn ties_go_away_from_zero_and_to_the_positive_one() {
    let book = Codebook::powers_of_two(int(8), 3).expect("they fit");
    assert_eq!([3.0, -3.0, 0.5, -0.5].map(|steps| book.nearest(steps)), [4, -4, 1, -1]);
    assert_eq!(Codebook::binary().nearest(0.0), 1);
    assert_eq!(Codebook::binary().nearest(-0.0), 1);
    // One unit in the last place from the tie decides.
    assert_eq!([3.0_f64.next_down(), (-3.0_f64).next_up()].map(|steps| book.nearest(steps)), [2, -2]);
}

#[test]
fn the_ends_and_nan_have_a_level() {
    let book = Codebook::new(int(8), vec![-7, 1, 3]).expect("ascending");
    assert_eq!([f64::NEG_INFINITY, f64::INFINITY, f64::NAN].map(|steps| book.nearest(steps)), [-7, 3, 1]);
    // The least 32-bit integer has no positive counterpart: the tie at -1/2 is nearer to none.
    let wide = Codebook::new(int(32), vec![i32::MIN, i32::MAX]).expect("ascending");
    assert_eq!([-0.5, -0.4, -0.6].map(|steps| wide.nearest(steps)), [i32::MIN, i32::MAX, i32::MIN]);
}

#[test]
fn codebooks_that_cannot_serve_are_refused() {
    let refused = |book: Result<Codebook, golden::GoldenError>| book.expect_err("refused").to_string();
    assert_eq!(refused(Codebook::new(int(8), vec![])), "the codebook's number of levels = 0 must be 1..=65536");
    assert_eq!(
        refused(Codebook::new(int(32), (0..65_537).collect())),
        "the codebook's number of levels = 65537 must be 1..=65536"
    );
    assert_eq!(
        refused(Codebook::new(int(8), vec![-1, 3, 3])),
        "the codebook's levels = 3, 3 must be in ascending order, all different"
    );
    assert_eq!(
        refused(Codebook::new(int(8), vec![-1, 128])),
        "the codebook's level = 128 must be a value of int8: -128..=127"
    );
    let bipolar = QFormat::new(Kind::Bipolar, 2, Range::Full).expect("it exists");
    assert_eq!(
        refused(Codebook::new(bipolar, vec![-1, 0])),
        "the codebook's level = 0 must be a value of bipolar2: -3..=3"
    );
    assert_eq!(
        refused(Codebook::powers_of_two(int(8), 8)),
        "the codebook's level = 128 must be a value of int8: -128..=127"
    );
    assert_eq!(
        refused(Codebook::powers_of_two(int(32), 40)),
        "the codebook's level = 2147483648 must be a value of int32: -2147483648..=2147483647"
    );
    for terms in [0, 5] {
        assert_eq!(
            refused(Codebook::additive_powers_of_two(int(8), terms, 4)),
            format!("the codebook's number of terms = {terms} must be 1..=4")
        );
    }
}
