//! Plots of made-up rows: what they show, where it stands, and what they say of what they do not show.

mod common;

use common::{accuracy_rows, pareto_rows, width_rows};
use explore::plot::palette::{Form, BLACK, GREY, INKS};
use explore::plot::scene::{text_area, Area, Place, Shape, WIDTH};
use explore::plot::{plots, Choice, Drawing, Kind, Plots};
use explore::row::Row;
use std::collections::HashSet;

fn only(rows: &[Row], kind: Kind) -> Plots {
    plots(rows, &Choice { only: vec![kind], ..Choice::default() }).expect("no choice names what is not there")
}

fn drawing(rows: &[Row], kind: Kind, name: &str) -> Drawing {
    let plots = only(rows, kind);
    let names: Vec<String> = plots.drawings.iter().map(|drawing| drawing.name.clone()).collect();
    plots
        .drawings
        .into_iter()
        .find(|drawing| drawing.name == name)
        .unwrap_or_else(|| panic!("{name} is not in {names:?}"))
}

fn texts(drawing: &Drawing) -> Vec<(&str, Place)> {
    let mut texts = Vec::new();
    for shape in &drawing.scene.shapes {
        if let Shape::Text { text, at, .. } = shape {
            texts.push((text.as_str(), *at));
        }
    }
    texts
}

fn says(drawing: &Drawing, wanted: &str) -> bool {
    texts(drawing).iter().any(|(text, _)| *text == wanted)
}

/// Place, form, colour and whether it is hollow.
fn markers(drawing: &Drawing) -> Vec<(Place, Form, [u8; 3], bool)> {
    let marker = |shape: &Shape| match shape {
        Shape::Marker { at, form, ink, hollow, .. } => Some((*at, *form, *ink, *hollow)),
        _ => None,
    };
    drawing.scene.shapes.iter().filter_map(marker).collect()
}

/// All drawings of all the made-up rows.
fn all() -> Vec<Drawing> {
    let sets = [accuracy_rows(), pareto_rows(), width_rows()];
    let drawn = sets.iter().flat_map(|rows| plots(rows, &Choice::default()).expect("it draws").drawings);
    drawn.collect()
}

#[test]
fn every_kind_is_drawn_and_no_two_files_have_one_name() {
    let kinds: HashSet<Kind> = all().iter().map(|drawing| drawing.kind).collect();
    assert_eq!(kinds.len(), Kind::ALL.len());
    let names: Vec<String> =
        plots(&pareto_rows(), &Choice::default()).expect("it draws").drawings.into_iter().map(|d| d.name).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
}

#[test]
fn texts_are_in_the_picture_and_on_no_other_text() {
    for drawing in all() {
        let picture = Area { from: (0.0, 0.0), to: (WIDTH, drawing.scene.height) };
        let mut areas: Vec<(&str, Area)> = Vec::new();
        for shape in &drawing.scene.shapes {
            let Shape::Text { at, text, size, anchor, vertical: false, .. } = shape else { continue };
            let area = text_area(*at, text, *size, *anchor);
            assert!(picture.holds(&area), "{}: {text:?} at {area:?}", drawing.name);
            for (other, place) in &areas {
                assert!(!place.overlaps(&area), "{}: {text:?} is on {other:?}", drawing.name);
            }
            areas.push((text, area));
        }
    }
}

#[test]
fn texts_are_ten_points_in_print_and_files_are_the_same_each_time() {
    for drawing in all() {
        let svg = drawing.scene.svg().expect("it draws");
        assert!(svg.starts_with("<svg width=\"900\"") && svg.trim_end().ends_with("</svg>"));
        for size in svg.split("font-size=\"").skip(1) {
            let size: f64 = size[..size.find('"').expect("it ends")].parse().expect("a number");
            // 170 mm are 481.9 points, and the picture is 900 pixels across.
            assert!(size * 481.9 / 900.0 >= 10.0, "{}: {size}", drawing.name);
        }
        assert_eq!(svg, drawing.scene.svg().expect("it draws"));
    }
    let [first, again] = [(); 2].map(|()| drawing(&accuracy_rows(), Kind::Heat, "heat-mlp-max").scene.png());
    let png = first.expect("it draws");
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    assert!(png == again.expect("it draws"));
}

fn bits_of(kind: Kind, row: &Row) -> Option<i64> {
    if kind == Kind::AccuracyActivations {
        row.activation_bits
    } else {
        row.weight_bits
    }
}

/// The value at a height, by the numbers beside the axis.
fn value_at(drawing: &Drawing, y: f64, numbers: [&str; 2]) -> f64 {
    let [low, high] = numbers.map(|number| {
        let at =
            texts(drawing).into_iter().filter(|(text, _)| *text == number).min_by(|a, b| a.1 .0.total_cmp(&b.1 .0));
        (at.expect("the axis has it").1 .1, number.parse::<f64>().expect("a number"))
    });
    low.1 + (y - low.0) / (high.0 - low.0) * (high.1 - low.1)
}

#[test]
fn accuracy_stands_where_the_axis_says_with_a_line_for_each_method() {
    let rows = accuracy_rows();
    for (kind, name, cut) in [
        (Kind::AccuracyWeights, "accuracy-weights-mlp", (|row| row.activation_bits == Some(8)) as fn(&Row) -> bool),
        (Kind::AccuracyActivations, "accuracy-activations-mlp", |row| row.weight_bits == Some(8)),
        (Kind::AccuracyBoth, "accuracy-both-mlp", |row| row.weight_bits == row.activation_bits),
    ] {
        let drawing = drawing(&rows, kind, name);
        for (at, method) in ["max", "mse"].into_iter().enumerate() {
            assert!(says(&drawing, method));
            let of_method =
                |row: &&Row| row.network.as_deref() == Some("mlp") && row.method.as_deref() == Some(method) && cut(row);
            let expected: Vec<f64> = rows.iter().filter(of_method).filter_map(|row| row.accuracy_percent).collect();
            // The first marker of a colour is the legend's.
            let drawn: Vec<Place> =
                markers(&drawing).into_iter().filter(|marker| marker.2 == INKS[at]).skip(1).map(|m| m.0).collect();
            assert_eq!(drawn.len(), expected.len(), "{name} {method}");
            assert!(drawn.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name} {method}");
            // The numbers of the y axis alone stand left of its line.
            let numbers = if kind == Kind::AccuracyActivations { ["94", "98"] } else { ["20", "100"] };
            let column = |bits: f64| {
                let number = format!("{bits:.0}");
                let at = texts(&drawing).into_iter().filter(|(text, _)| *text == number);
                at.max_by(|a, b| a.1 .1.total_cmp(&b.1 .1)).expect("the axis has it").1 .0
            };
            for ((x, y), accuracy) in drawn.into_iter().zip(expected) {
                // Lines are at most a tenth of a bit off, so that bars of several can be seen.
                let bits = (8.0 - (column(8.0) - x) / (column(8.0) - column(7.0))).round();
                let at = |row: &&&Row| row.accuracy_percent == Some(accuracy) && of_method(row);
                let row = rows.iter().filter(|row| at(&row)).find(|row| bits_of(kind, row) == Some(bits as i64));
                assert!(row.is_some() && (x - column(bits)).abs() < 0.1 * (column(8.0) - column(7.0)), "{name} {bits}");
                let read = value_at(&drawing, y, numbers);
                assert!((read - accuracy).abs() < 0.01, "{name} {method}: {read} for {accuracy}");
            }
        }
    }
}

#[test]
fn bars_are_a_standard_deviation_to_either_side() {
    let rows = accuracy_rows();
    let drawing = drawing(&rows, Kind::AccuracyWeights, "accuracy-weights-mlp");
    let row = rows.iter().find(|row| row.point.as_deref() == Some("mlpmax0208")).expect("it is a point");
    let (mean, sd) = (row.accuracy_percent.expect("done"), row.accuracy_sd_percent.expect("done"));
    let bars: Vec<(f64, f64)> = drawing
        .scene
        .shapes
        .iter()
        .filter_map(|shape| match shape {
            Shape::Line { points, ink, .. } if *ink == INKS[0] && points.len() == 2 && points[0].0 == points[1].0 => {
                Some((points[0].1, points[1].1))
            }
            _ => None,
        })
        .map(|(low, high)| (value_at(&drawing, low, ["20", "100"]), value_at(&drawing, high, ["20", "100"])))
        .collect();
    let found = bars.iter().any(|(low, high)| (low - (mean - sd)).abs() < 0.01 && (high - (mean + sd)).abs() < 0.01);
    assert!(found, "{} to {} is not in {bars:?}", mean - sd, mean + sd);
    assert!(says(&drawing, "Bars: a standard deviation over 5 seeds to either side."));
    assert!(says(&drawing, "float: 97.4 %"));
}

/// Points that none is at least as good as and better than once, straight from that definition.
fn front(rows: &[&Row], cost: fn(&Row) -> Option<f64>, sign: f64) -> Vec<String> {
    let place = |row: &Row| Some((row.accuracy_percent?, sign * cost(row)?));
    let places: Vec<((f64, f64), &str)> =
        rows.iter().filter_map(|row| Some((place(row)?, row.point.as_deref()?))).collect();
    let dominated = |(a, c): (f64, f64)| places.iter().any(|((b, d), _)| *b >= a && *d <= c && (*b > a || *d < c));
    places.iter().filter(|(place, _)| !dominated(*place)).map(|(_, point)| (*point).to_owned()).collect()
}

#[test]
fn fronts_are_drawn_over_grey_and_each_point_is_named_once() {
    let rows = pareto_rows();
    let cost: fn(&Row) -> Option<f64> = |row| row.lut_sites.map(|luts| luts as f64);
    let of_target: Vec<&Row> = rows.iter().filter(|row| row.target.as_deref() == Some("ecp5-85k")).collect();
    let expected = front(&of_target, cost, 1.0);
    let drawing = drawing(&rows, Kind::FrontLuts, "front-luts-mlp-top-on-ecp5-85k-no-DSP");
    let colored = markers(&drawing).into_iter().filter(|marker| ![GREY, BLACK].contains(&marker.2)).count();
    // One more in the legend for each method on the front.
    let methods: HashSet<bool> = expected.iter().map(|point| point.contains("mse")).collect();
    assert_eq!(colored, expected.len() + methods.len());
    assert!(markers(&drawing).iter().filter(|marker| marker.2 == GREY).count() > 50);
    for point in &expected {
        // As in mlpmse0405-8.
        let digits = &point[6..];
        let size = &digits[5..];
        let label = format!("W{} A{} {size}×{size}", &digits[1..2], &digits[3..4]);
        let named = texts(&drawing).into_iter().filter(|(text, _)| text.ends_with(&label)).count();
        assert_eq!(named, 1, "{label}: {:?}", texts(&drawing));
    }
}

#[test]
fn more_images_a_second_are_better_and_targets_do_not_compete() {
    let rows = pareto_rows();
    let of = |target: &str| -> Vec<&Row> {
        let fits = |row: &&Row| row.target.as_deref() == Some(target) && row.clock_source.as_deref() == Some("fmax");
        rows.iter().filter(fits).collect()
    };
    for target in ["ecp5-85k", "ice40-hx8k"] {
        let expected = front(&of(target), |row| row.fps, -1.0);
        let name = format!("front-fps-mlp-top-on-{target}-no-DSP-at-its-fmax");
        let drawing = drawing(&rows, Kind::FrontFps, &name);
        let colored: Vec<_> =
            markers(&drawing).into_iter().filter(|marker| ![GREY, BLACK].contains(&marker.2)).map(|m| m.2).collect();
        let legend = colored.iter().collect::<HashSet<_>>().len();
        assert_eq!(colored.len(), expected.len() + legend, "{target}");
    }
}

#[test]
fn equal_points_of_a_front_share_a_label() {
    let mut rows: Vec<Row> = accuracy_rows().into_iter().filter(|row| row.network.as_deref() == Some("mlp")).collect();
    let best = rows.iter().position(|row| row.point.as_deref() == Some("mlpmse0404")).expect("a point of the front");
    for lanes in [4, 8] {
        let point = Some(format!("lanes{lanes}"));
        rows.push(Row { point, requantizer_lanes: Some(lanes), ..rows[best].clone() });
    }
    let drawing = drawing(&rows, Kind::FrontBytes, "front-bytes-mlp");
    assert!(texts(&drawing).iter().any(|(text, _)| text.ends_with("W4 A4 N2 (+2)")), "{:?}", texts(&drawing));
    assert!(says(&drawing, "(+n): n more points of the front at the same place."));
}

#[test]
fn extrapolated_points_are_hollow_and_the_legend_says_so() {
    let rows = pareto_rows();
    for (kind, name, extrapolates) in [
        (Kind::Luts, "luts-top", true),
        (Kind::FrontLuts, "front-luts-mlp-top-on-ice40-hx8k-no-DSP", true),
        (Kind::Fmax, "fmax-top", false),
        (Kind::FrontEnergy, "front-energy-mlp", false),
    ] {
        let drawing = drawing(&rows, kind, name);
        assert_eq!(says(&drawing, "hollow: extrapolated"), extrapolates, "{name}");
        assert_eq!(markers(&drawing).iter().any(|marker| marker.3), extrapolates, "{name}");
    }
    // W = A = 2..=8 on two targets at 16 x 16, and the legend's.
    let drawing = drawing(&rows, Kind::Luts, "luts-top");
    assert_eq!(markers(&drawing).iter().filter(|marker| marker.3).count(), 7 * 2 + 1);
}

#[test]
fn areas_have_a_line_for_each_target_and_shape() {
    let rows = pareto_rows();
    let drawing = drawing(&rows, Kind::Luts, "luts-top");
    for (at, name) in ["ice40-hx8k 4×4", "ecp5-85k 4×4", "ice40-hx8k 8×8", "ecp5-85k 8×8"].into_iter().enumerate() {
        assert!(says(&drawing, name), "{name}");
        // One build of 8 x 8 failed.
        let count = markers(&drawing).iter().filter(|marker| marker.2 == INKS[at]).count();
        assert_eq!(count, if name == "ice40-hx8k 8×8" { 7 } else { 8 }, "{name}");
    }
    assert!(says(&drawing, "bits of weights and activations"));
    assert!(says(&drawing, "Of 672 rows, not drawn: 2 whose build failed."), "{:?}", texts(&drawing));
}

/// As a machine that Yosys could map and that is too large for the device.
#[test]
fn areas_of_builds_that_failed_later_are_drawn_and_told() {
    let mut rows = pareto_rows();
    let is_large = |row: &&mut Row| row.rows == Some(16);
    rows.iter_mut().filter(is_large).for_each(|row| row.build_status = Some("failed".to_owned()));
    for (kind, name, n_large) in
        [(Kind::Luts, "luts-top", 224), (Kind::FrontLuts, "front-luts-mlp-top-on-ecp5-85k-no-DSP", 112)]
    {
        let drawing = drawing(&rows, kind, name);
        let note = format!("Drawn, as areas are known: {n_large} whose build failed after synthesis.");
        assert!(says(&drawing, &note), "{:?}", texts(&drawing));
    }
}

#[test]
fn a_heat_map_has_each_accuracy_in_its_cell() {
    let rows = accuracy_rows();
    let drawing = drawing(&rows, Kind::Heat, "heat-mlp-max");
    let of_map =
        rows.iter().filter(|row| row.network.as_deref() == Some("mlp") && row.method.as_deref() == Some("max"));
    let column = |bits: i64| {
        let at = texts(&drawing).into_iter().filter(|(text, _)| *text == bits.to_string());
        at.max_by(|a, b| a.1 .1.total_cmp(&b.1 .1)).expect("a column").1 .0
    };
    let line = |bits: i64| {
        let at = texts(&drawing).into_iter().filter(|(text, _)| *text == bits.to_string());
        at.min_by(|a, b| a.1 .0.total_cmp(&b.1 .0)).expect("a line").1 .1
    };
    for row in of_map {
        let (weights, activations) = (row.weight_bits.expect("an axis"), row.activation_bits.expect("an axis"));
        let place = (column(activations), line(weights));
        let here =
            texts(&drawing).into_iter().find(|(_, at)| (at.0 - place.0).abs() < 1.0 && (at.1 - place.1).abs() < 1.0);
        let expected = row.accuracy_percent.map_or("×".to_owned(), |accuracy| format!("{accuracy:.1}"));
        assert_eq!(here.map(|(text, _)| text), Some(expected.as_str()), "W{weights} A{activations}");
    }
    assert!(says(&drawing, "×: no result."));
    assert!(says(&drawing, "Of 56 points, not drawn: 1 refused."));
}

#[test]
fn points_without_a_whole_result_are_not_drawn() {
    let network = |kind: &Kind| !matches!(kind, Kind::Luts | Kind::Area | Kind::Dsps | Kind::Fmax);
    for status in ["pending", "refused", "failed"] {
        for rows in [accuracy_rows(), pareto_rows(), width_rows()] {
            let mut rows = rows;
            // Some seeds of each have ended.
            rows.iter_mut().for_each(|row| row.status = Some(status.to_owned()));
            let drawn = plots(&rows, &Choice::default()).expect("no choice").drawings;
            assert!(!drawn.iter().any(|drawing| network(&drawing.kind)), "{status}");
        }
    }
}

/// One machine's width of outputs, whatever the activations': neither a line nor a map is split where they happen to be equal.
#[test]
fn a_fixed_width_of_outputs_splits_nothing() {
    let with = |outputs: fn(&Row) -> Option<i64>| {
        let mut rows = accuracy_rows();
        rows.iter_mut().for_each(|row| row.output_bits = outputs(row));
        rows
    };
    let (same, fixed) = (with(|row| row.activation_bits), with(|_| Some(5)));
    for kind in [Kind::Heat, Kind::AccuracyActivations] {
        assert_eq!(only(&fixed, kind), only(&same, kind));
    }
}

#[test]
fn a_waterfall_goes_through_every_cause_and_ends_at_all_cycles() {
    let drawing = drawing(&accuracy_rows(), Kind::Waterfall, "waterfall-mlp");
    let ends: Vec<(f64, f64)> = drawing
        .scene
        .shapes
        .iter()
        .filter_map(|shape| match shape {
            Shape::Block { from, to, .. } => Some((from.0, to.0)),
            _ => None,
        })
        .collect();
    let x = |number: &str| {
        let at = texts(&drawing).into_iter().filter(|(text, _)| *text == number);
        at.max_by(|a, b| a.1 .1.total_cmp(&b.1 .1)).expect("the axis has it").1 .0
    };
    let percent = |pixel: f64| 100.0 * (pixel - x("0")) / (x("100") - x("0"));
    let parts = [41.25, 0.0, 12.5, 0.0, 9.75, 20.0, 0.5, 0.0, 6.0, 10.0];
    assert_eq!(ends.len(), parts.len());
    let mut sum = 0.0;
    for ((from, to), part) in ends.into_iter().zip(parts) {
        assert!((percent(from) - sum).abs() < 0.01, "{from} is not at {sum} %");
        sum += part;
        // A part of 0 is a pixel wide.
        assert!((percent(to) - sum).abs() < 0.2, "{to} is not at {sum} %");
    }
    assert_eq!(sum, 100.0);
}

#[test]
fn a_waterfall_whose_parts_do_not_sum_up_is_not_drawn() {
    let mut rows = accuracy_rows();
    for row in &mut rows {
        row.lost_drain_percent = row.lost_drain_percent.map(|lost| lost - 1.0);
    }
    let plots = only(&rows, Kind::Waterfall);
    assert_eq!(plots.drawings, []);
    assert_eq!(plots.missing[0].reason, "mlp: the parts are 99.00 % together, not 100 %");
}

#[test]
fn a_named_point_has_the_waterfall_and_an_unknown_one_is_refused() {
    let rows = accuracy_rows();
    let choice =
        |point: &str| Choice { only: vec![Kind::Waterfall], point: Some(point.to_owned()), ..Choice::default() };
    let drawings = plots(&rows, &choice("cnnmax0304")).expect("it is a point").drawings;
    assert_eq!(
        drawings.iter().map(|drawing| drawing.title.as_str()).collect::<Vec<_>>(),
        ["cnn W3 A4 on 8×8: where PE-cycles go"]
    );
    // Refused, so without a utilization.
    let error = plots(&rows, &choice("mlpmax0108")).expect_err("it has none");
    assert_eq!(error.to_string(), "the results have no point \"mlpmax0108\" with a utilization");
}

#[test]
fn widths_have_a_line_for_each_number_of_bits() {
    let rows = width_rows();
    for (kind, name) in [(Kind::WidthBytes, "width-bytes-mlp-mse"), (Kind::WidthEnergy, "width-energy-mlp-mse")] {
        let drawing = drawing(&rows, kind, name);
        for (at, bits) in [8, 4, 3, 2].into_iter().enumerate() {
            assert!(says(&drawing, &format!("W{bits} A{bits}")));
            let count = markers(&drawing).iter().filter(|marker| marker.2 == INKS[at]).count();
            assert_eq!(count, 4 + 1, "{name} {bits}");
        }
        assert!(says(&drawing, "Along a line: networks of width ×0.5, ×1, ×2, ×4."));
    }
}

#[test]
fn what_is_absent_is_told() {
    let reasons = |rows: &[Row], kind| -> Vec<String> {
        let plots = only(rows, kind);
        assert_eq!(plots.drawings, []);
        plots.missing.into_iter().map(|missing| missing.reason).collect()
    };
    let rows = accuracy_rows();
    let none =
        ["mlp: no row has both accuracy_percent and lut_sites", "cnn: no row has both accuracy_percent and lut_sites"];
    assert_eq!(reasons(&rows, Kind::FrontLuts), none);
    assert_eq!(reasons(&rows, Kind::Fmax), ["no row has a synthesis target"]);
    let one = ["mlp: all rows have one network width", "cnn: all rows have one network width"];
    assert_eq!(reasons(&rows, Kind::WidthBytes), one);
    let bits = |row: &Row| row.weight_bits == Some(8) && row.network_width == Some(2.0);
    let unlike = width_rows().into_iter().map(|row| if bits(&row) { row } else { Row { energy_nj: None, ..row } });
    let fewer = "mlp, mse: fewer than 2 network widths";
    assert_eq!(reasons(&unlike.collect::<Vec<Row>>(), Kind::WidthEnergy), [fewer]);
    let hardware: Vec<Row> = pareto_rows()
        .into_iter()
        .filter(|row| row.weight_bits == Some(4) && row.activation_bits == Some(4))
        .map(|row| Row { network: None, method: None, accuracy_percent: None, ..row })
        .collect();
    for kind in [Kind::AccuracyBoth, Kind::Heat, Kind::FrontBytes, Kind::Waterfall, Kind::WidthEnergy] {
        assert_eq!(reasons(&hardware, kind), ["no row has a network"], "{kind}");
    }
    assert_eq!(reasons(&hardware, Kind::Luts), ["top: fewer than 2 widths with lut_sites"]);
    let pending: Vec<Row> = rows.into_iter().map(|row| Row { accuracy_percent: None, ..row }).collect();
    assert_eq!(reasons(&pending, Kind::Heat)[0], "mlp: no row has accuracy_percent");
    let few = "mlp: fewer than 2 numbers of bits of weights with an accuracy";
    assert_eq!(reasons(&pending, Kind::AccuracyWeights)[0], few);
}

#[test]
fn networks_are_chosen_by_name() {
    let rows = accuracy_rows();
    let choice = |name: &str| Choice { networks: vec![name.to_owned()], ..Choice::default() };
    let plots = |name: &str| explore::plot::plots(&rows, &choice(name));
    let drawings = plots("cnn").expect("it is there").drawings;
    assert!(!drawings.is_empty() && drawings.iter().all(|drawing| drawing.title.contains("cnn")));
    let error = plots("resnet").expect_err("it is not there");
    assert_eq!(error.to_string(), "the results have no network \"resnet\": theirs are [\"mlp\", \"cnn\"]");
}

#[test]
fn names_of_networks_make_no_paths_and_no_markup() {
    let name = "../<script>alert(1)</script>";
    let rows: Vec<Row> =
        accuracy_rows().into_iter().map(|row| Row { network: row.network.map(|_| name.to_owned()), ..row }).collect();
    for drawing in plots(&rows, &Choice::default()).expect("it draws").drawings {
        let plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        assert!(drawing.name.chars().all(plain), "{}", drawing.name);
        let svg = drawing.scene.svg().expect("it draws");
        assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;"), "{}", drawing.name);
    }
}

#[test]
fn more_lines_than_can_be_told_apart_are_counted() {
    let mut rows = Vec::new();
    for row in accuracy_rows() {
        if row.network.as_deref() == Some("mlp") && row.method.as_deref() == Some("mse") {
            rows.extend((0..20).map(|at| Row { method: Some(format!("method {at}")), ..row.clone() }));
        }
    }
    let drawing = drawing(&rows, Kind::AccuracyBoth, "accuracy-both-mlp");
    assert!(says(&drawing, "method 13") && !says(&drawing, "method 14"));
    assert!(says(&drawing, "The first 14 of 20 lines."));
}
