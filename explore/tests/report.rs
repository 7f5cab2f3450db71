//! The report in a real browser: it renders, sorts, filters, links plot and table, and asks nothing of the network.

mod browser;
mod common;

use browser::Browser;
use common::{accuracy_rows, pareto_rows, width_rows};
use explore::plot::{plots, Choice};
use explore::report::report;
use explore::row::Row;
use explore::store::{About, Owner};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

fn about() -> About {
    About {
        name: "digits".to_owned(),
        file: "name = \"digits\"\nseeds = [0, 1, 2] # <b>& more\n".to_owned(),
        fingerprint: "00ff00ff".to_owned(),
        systole: "0.1.0".to_owned(),
        command: "systole sweep digits.toml --jobs 2".to_owned(),
        started: "2026-01-02 03:04:05".to_owned(),
        seeds: vec![0, 1, 2],
        inputs: vec![(PathBuf::from("mlp.onnx"), "abcdef".to_owned())],
        tools: vec![("yosys".to_owned(), "0.23".to_owned())],
        skipped: vec![("geometry.requantizer_lanes must divide geometry.cols".to_owned(), 12)],
        owners: vec![Owner {
            command: "systole sweep digits.toml --jobs 7".to_owned(),
            systole: "0.1.0".to_owned(),
            started: "2026-01-02 03:04:06".to_owned(),
            ended: None,
        }],
    }
}

/// Both networks without synthesis, and one with.
fn rows() -> Vec<Row> {
    accuracy_rows().into_iter().chain(pareto_rows()).collect()
}

struct Page {
    browser: Browser,
    folder: tempfile::TempDir,
}

impl Page {
    fn open(about: &About, rows: &[Row]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("report.html");
        fs::write(&path, report(about, rows, "0.1.0").expect("it is made")).expect("it is written");
        let mut browser = Browser::start();
        browser.open(&path);
        Self { browser, folder }
    }

    /// What the page says it shows, and how many points its plot has.
    fn counts(&mut self) -> (String, u64) {
        let count = self.browser.text("document.getElementById('count').textContent");
        (count, self.browser.number("document.querySelectorAll('#scatter .mark').length"))
    }

    fn check(&mut self, filter: &str, rows: &[Row], keeps: impl Fn(&Row) -> bool) {
        self.browser.fill("#filter", filter);
        let kept: Vec<&Row> = rows.iter().filter(|row| keeps(row)).collect();
        // The plot is of LUTs and accuracy until others are chosen.
        let plotted = kept.iter().filter(|row| row.luts.is_some() && row.accuracy_percent.is_some()).count() as u64;
        let expected = (format!("{} of {} rows", kept.len(), rows.len()), plotted);
        assert_eq!(self.counts(), expected, "{filter}");
        let table = self.browser.number("document.querySelectorAll('#table tbody tr').length");
        assert_eq!(table, kept.len().min(100) as u64, "{filter}");
        assert_eq!(self.browser.text("document.getElementById('problem').textContent"), "", "{filter}");
    }

    /// The texts of a column in the part of the table that is shown.
    fn column(&mut self, name: &str) -> Vec<String> {
        let name = json!(name);
        let values = self.browser.value(&format!(
            "(() => {{ const heads = [...document.querySelectorAll('#table thead tr:first-child th')]; \
             const at = heads.findIndex((head) => head.querySelector('button').textContent === {name}); \
             return [...document.querySelectorAll('#table tbody tr')].map((row) => row.cells[at].textContent); }})()"
        ));
        values.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
    }

    fn sorted(&mut self, name: &str) -> String {
        let name = json!(name);
        self.browser.text(&format!(
            "[...document.querySelectorAll('#table thead th')].find((head) => \
             head.querySelector('button').textContent === {name}).getAttribute('aria-sort')"
        ))
    }
}

#[test]
fn filters_keep_the_rows_that_they_say_in_table_and_plot() {
    let rows = rows();
    let mut page = Page::open(&about(), &rows);
    page.check("", &rows, |_| true);
    page.check("weight_bits <= 4", &rows, |row| row.weight_bits <= Some(4));
    page.check("weight_bits 3..5 and network = cnn", &rows, |row| {
        (Some(3)..=Some(5)).contains(&row.weight_bits) && row.network.as_deref() == Some("cnn")
    });
    page.check("method != max, luts > 9000.5", &rows, |row| {
        row.method.as_deref() != Some("max") && row.luts.is_some_and(|luts| luts > 9000)
    });
    page.check("fmax_mhz absent && activation_bits = 8", &rows, |row| {
        row.fmax_mhz.is_none() && row.activation_bits == Some(8)
    });
    page.check("luts present", &rows, |row| row.luts.is_some());
    page.check("build_reason ~ \"7680 logic\"", &rows, |row| row.build_reason.is_some());
    page.check("ECP5", &rows, |row| row.target.as_deref() == Some("ecp5-85k"));
    page.check("no such text", &rows, |_| false);
    page.check("", &rows, |_| true);
    // The fields below the heads hold as well.
    page.browser.fill("#table thead input[aria-label='filter weight_bits']", ">= 7");
    page.check("target ~ ice", &rows, |row| row.weight_bits >= Some(7) && row.target.as_deref() == Some("ice40-hx8k"));
    page.browser.fill("#table thead input[aria-label='filter weight_bits']", "");
    page.check("", &rows, |_| true);
    page.browser.assert_quiet();
}

#[test]
fn a_filter_that_is_wrong_says_what_and_changes_nothing() {
    let rows = rows();
    let mut page = Page::open(&about(), &rows);
    page.check("weight_bits = 4", &rows, |row| row.weight_bits == Some(4));
    let before = page.counts();
    for (filter, problem) in [
        ("weigth_bits <= 4", "no column weigth_bits differs between rows"),
        ("weight_bits <= four", "weight_bits <= four: four is not a number"),
        ("weight_bits <=", "weight_bits <=: a value is missing"),
        ("network < mlp", "network is text: it has =, != and ~, not <"),
        ("weight_bits ~ 4", "weight_bits is a number: it has no ~"),
    ] {
        page.browser.fill("#filter", filter);
        assert_eq!(page.browser.text("document.getElementById('problem').textContent"), problem);
        assert_eq!(page.browser.text("document.getElementById('filter').getAttribute('aria-invalid')"), "true");
        assert_eq!(page.counts(), before, "{filter}");
    }
    page.check("weight_bits = 4", &rows, |row| row.weight_bits == Some(4));
    page.browser.assert_quiet();
}

#[test]
fn heads_sort_by_mouse_and_by_keyboard_with_absent_values_last() {
    let rows = rows();
    let mut page = Page::open(&about(), &rows);
    page.browser.fill("#filter", "weight_bits = 8 and activation_bits = 8");
    let of_filter = rows.iter().filter(|row| row.weight_bits == Some(8) && row.activation_bits == Some(8));
    let shown =
        |luts: i64, row: &Row| if row.extrapolated == Some(1) { format!("≈ {luts}") } else { luts.to_string() };
    let mut values: Vec<(i64, String)> =
        of_filter.clone().filter_map(|row| Some((row.luts?, shown(row.luts?, row)))).collect();
    let absent = of_filter.count() - values.len();
    assert!(absent > 0 && values.iter().any(|(_, text)| text.starts_with('≈')));
    values.sort();
    let texts = |values: &[(i64, String)]| -> Vec<String> {
        values.iter().map(|(_, text)| text.clone()).chain(std::iter::repeat_n(String::new(), absent)).collect()
    };
    let button = "[...document.querySelectorAll('#table thead button')].find((it) => it.textContent === 'luts')";
    assert_eq!(page.sorted("luts"), "none");
    let unsorted = page.column("luts");
    page.browser.value(&format!("{button}.id = 'by-luts'"));
    page.browser.click("#by-luts");
    assert_eq!(page.sorted("luts"), "ascending");
    assert_eq!(page.column("luts"), texts(&values));
    page.browser.value(&format!("{button}.focus()"));
    page.browser.press("Enter", 13, "\r");
    assert_eq!(page.sorted("luts"), "descending");
    values.reverse();
    assert_eq!(page.column("luts"), texts(&values));
    page.browser.press("Enter", 13, "\r");
    assert_eq!(page.sorted("luts"), "none");
    assert_eq!(page.column("luts"), unsorted);
    page.browser.assert_quiet();
}

#[test]
fn points_and_rows_mark_each_other() {
    let rows = rows();
    let mut page = Page::open(&about(), &rows);
    page.browser.fill("#filter", "target = ecp5-85k and weight_bits = 5");
    let wanted = |row: &Row| row.point.as_deref() == Some("mlpmse0506-16") && row.target.as_deref() == Some("ecp5-85k");
    let row = rows.iter().position(wanted).expect("it is a point");
    let selected = "JSON.stringify([...document.querySelectorAll('#table tbody [aria-selected=true]')].map((row) => Number(row.dataset.row)))";
    let chosen =
        "JSON.stringify([...document.querySelectorAll('#scatter .chosen')].map((mark) => Number(mark.dataset.row)))";
    assert_eq!(page.browser.text(selected), "[]");
    page.browser.click(&format!("#scatter .mark[data-row='{row}']"));
    assert_eq!(page.browser.text(selected), format!("[{row}]"));
    assert_eq!(page.browser.text(chosen), format!("[{row}]"));
    let words = page.browser.text("document.getElementById('about-point').textContent");
    let luts = rows[row].luts.expect("it was extrapolated");
    assert!(words.contains("activation_bits 6") && words.contains(&format!("luts ≈ {luts}")), "{words}");
    // It is extrapolated, so hollow; its neighbour is not.
    let fill = |page: &mut Page, row: usize| {
        page.browser.text(&format!("document.querySelector(\"#scatter .mark[data-row='{row}']\").getAttribute('fill')"))
    };
    assert_eq!(fill(&mut page, row), "#fff");
    let built = |other: &Row| other.point.as_deref() == Some("mlpmse0506-8") && other.target == rows[row].target;
    let neighbour = rows.iter().position(built).expect("it is a point");
    assert_ne!(fill(&mut page, neighbour), "#fff");
    assert!(page.browser.text("document.getElementById('key').textContent").contains("hollow: extrapolated"));
    page.browser.value(&format!("document.querySelector(\"#table tr[data-row='{neighbour}']\").focus()"));
    page.browser.press("Enter", 13, "\r");
    assert_eq!(page.browser.text(chosen), format!("[{neighbour}]"));
    assert_eq!(page.browser.text(selected), format!("[{neighbour}]"));
    page.browser.assert_quiet();
}

#[test]
fn the_plot_shows_the_columns_that_are_chosen() {
    let rows = rows();
    let mut page = Page::open(&about(), &rows);
    let column = |page: &mut Page, name: &str| {
        let name = json!(name);
        page.browser.text(&format!(
            "[...document.getElementById('x').options].find((option) => option.textContent === {name}).value"
        ))
    };
    let (x, y) = (column(&mut page, "weight_bits"), column(&mut page, "fmax_mhz"));
    page.browser.fill("#x", &x);
    page.browser.fill("#y", &y);
    let built = rows.iter().filter(|row| row.fmax_mhz.is_some()).count();
    let (_, plotted) = page.counts();
    assert_eq!(plotted, built as u64);
    let said = page.browser.text("document.getElementById('plotted').textContent");
    assert_eq!(said, format!("{built} of {} rows have weight_bits and fmax_mhz", rows.len()));
    // Where a point stands: its middle, by the numbers of the axis.
    let row = rows.iter().position(|row| row.weight_bits == Some(6) && row.fmax_mhz.is_some()).expect("it is a point");
    let off = page.browser.value(&format!(
        "(() => {{ const ticks = [...document.querySelectorAll('#scatter text[text-anchor=middle]')]; \
         const six = ticks.find((tick) => tick.textContent === '6'); \
         const box = document.querySelector(\"#scatter .mark[data-row='{row}']\").getBBox(); \
         return Math.abs(Number(six.getAttribute('x')) - box.x - box.width / 2); }})()"
    ));
    assert!(off.as_f64().expect("a number") < 0.5, "{off}");
    page.browser.value("(() => { const box = document.getElementById('log-y'); box.click(); })()");
    assert_eq!(page.counts().1, built as u64);
    page.browser.assert_quiet();
}

#[test]
fn the_page_says_where_it_comes_from_and_what_is_missing() {
    let rows = rows();
    let mut page = Page::open(&about(), &rows);
    let text = page.browser.text("document.querySelector('main').textContent");
    for words in
        ["systole sweep digits.toml --jobs 2", "systole sweep digits.toml --jobs 7", "00ff00ff", "0, 1, 2", "0.23"]
    {
        assert!(text.contains(words), "{words}");
    }
    assert_eq!(page.browser.text("document.getElementById('sweep-file').textContent"), about().file);
    let table = page.browser.value(
        "[...document.querySelectorAll('#without tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))",
    );
    assert_eq!(
        table,
        json!([
            // One a network without synthesis, and one a shape with.
            ["5", "refused", "the network's first layer needs 2 bits"],
            ["1", "pending", ""],
            ["2", "failed", "it does not fit: 9100 of 7680 logic cells"],
            ["12", "skipped", "geometry.requantizer_lanes must divide geometry.cols"],
        ])
    );
    let drawn = plots(&rows, &Choice::default()).expect("it draws").drawings.len() as u64;
    assert_eq!(page.browser.number("document.querySelectorAll('#plots figure svg[role=img]').length"), drawn);
    let same = page.browser.text("document.querySelector('#rows dl').textContent");
    assert!(same.contains("rounding") && same.contains("half-to-even") && !same.contains("accuracy_percent"), "{same}");
    page.browser.assert_quiet();
}

#[test]
fn hostile_texts_are_shown_and_do_nothing() {
    let hostile =
        "</script><script>document.title = 'owned'; throw 1</script><img src=http://127.0.0.1:9/ onerror=alert(1)><!--";
    let mut rows = rows();
    for row in &mut rows {
        if row.network.as_deref() == Some("cnn") {
            row.network = Some(hostile.to_owned());
        }
        row.reason = row.reason.as_ref().map(|_| hostile.to_owned());
    }
    let mut origin = about();
    (origin.name, origin.file, origin.command) = (hostile.to_owned(), hostile.to_owned(), hostile.to_owned());
    let mut page = Page::open(&origin, &rows);
    assert_eq!(page.browser.text("document.title"), format!("{hostile}: results"));
    assert_eq!(page.browser.text("document.getElementById('sweep-file').textContent"), hostile);
    assert_eq!(page.browser.number("document.scripts.length"), 2);
    assert_eq!(page.browser.number("document.images.length"), 0);
    let kept = rows.iter().filter(|row| row.network.as_deref() == Some(hostile)).count();
    page.browser.fill("#filter", &format!("network = \"{hostile}\""));
    assert_eq!(page.counts().0, format!("{kept} of {} rows", rows.len()));
    assert!(page.column("network").iter().all(|text| text == hostile));
    page.browser.assert_quiet();
}

#[test]
fn five_thousand_rows_stay_usable_and_are_printed_whole() {
    let mut rows = Vec::new();
    for copy in 0.. {
        if rows.len() >= 5000 {
            break;
        }
        for row in pareto_rows() {
            let point = row.point.map(|point| format!("{point}-{copy}"));
            rows.push(Row {
                point,
                accuracy_percent: row.accuracy_percent.map(|it| it - f64::from(copy) / 100.0),
                ..row
            });
        }
    }
    let mut page = Page::open(&about(), &rows);
    page.check("", &rows, |_| true);
    let milliseconds = page.browser.value(
        "(() => { const start = performance.now(); const field = document.getElementById('filter'); \
         field.value = 'weight_bits >= 2'; field.dispatchEvent(new Event('input')); \
         document.getElementById('scatter').getBoundingClientRect(); return performance.now() - start; })()",
    );
    assert!(milliseconds.as_f64().expect("a number") < 3000.0, "{milliseconds} ms");
    // A click on a point turns the table to its page.
    let last = rows.iter().rposition(|row| row.luts.is_some() && row.accuracy_percent.is_some()).expect("a point");
    page.browser.value(&format!(
        "document.querySelector(\"#scatter .mark[data-row='{last}']\").dispatchEvent(new Event('click', {{ bubbles: true }}))"
    ));
    assert_eq!(
        page.browser.number("document.querySelector('#table [aria-selected=true]').dataset.row * 1"),
        last as u64
    );
    page.browser.fill("#filter", "weight_bits = 3");
    let kept = rows.iter().filter(|row| row.weight_bits == Some(3)).count() as u64;
    page.browser.value("window.dispatchEvent(new Event('beforeprint'))");
    assert_eq!(page.browser.number("document.querySelectorAll('#table tbody tr').length"), kept);
    page.browser.value("window.dispatchEvent(new Event('afterprint'))");
    assert_eq!(page.browser.number("document.querySelectorAll('#table tbody tr').length"), 100);
    page.browser.assert_quiet();
}

#[test]
fn plots_are_well_formed_by_the_judgement_of_the_browser() {
    let mut page = Page::open(&about(), &rows());
    for rows in [accuracy_rows(), pareto_rows(), width_rows()] {
        for drawing in plots(&rows, &Choice::default()).expect("it draws").drawings {
            let svg = json!(drawing.scene.svg().expect("it draws"));
            let root = page
                .browser
                .text(&format!("new DOMParser().parseFromString({svg}, 'image/svg+xml').documentElement.nodeName"));
            assert_eq!(root, "svg", "{}", drawing.name);
        }
    }
    page.browser.assert_quiet();
}

#[test]
fn a_report_on_nothing_says_so() {
    let mut page = Page::open(&about(), &[]);
    assert_eq!(page.browser.text("document.getElementById('summary').textContent"), "0 points, 0 rows");
    assert!(page.browser.text("document.getElementById('rows').textContent").contains("All rows are the same."));
    page.browser.assert_quiet();
    // Whatever stands there was written by the test alone.
    assert_eq!(fs::read_dir(page.folder.path()).expect("it is there").count(), 1);
}
