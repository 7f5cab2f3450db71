//! A chart of series on two axes: title and legend above, notes below.

use super::labels::{self, Background, Placed};
use super::palette::{Form, Ink, BLACK, DASHES, FAINT, FORMS, GREY, INKS};
use super::scene::{text_width, wrap, Anchor, Area, Place, Scene, Shape, TEXT, TITLE, WIDTH};
use super::ticks::Axis;

/// A point of a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dot {
    pub x: f64,
    pub y: f64,
    /// Ends of a bar through the point.
    pub bar: Option<(f64, f64)>,
    /// Drawn as an outline, which the legend explains.
    pub extrapolated: bool,
    pub label: Option<String>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    pub ink: Ink,
    /// An index into [`DASHES`]; no line if none.
    pub line: Option<usize>,
    pub form: Option<Form>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Not in the legend if empty.
    pub name: String,
    pub look: Look,
    pub dots: Vec<Dot>,
}

/// Linear or logarithmic axes and what is drawn on them, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    pub notes: Vec<String>,
}

/// A chart laid out: the scene, and where its parts came to stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Laid {
    pub scene: Scene,
    pub frame: Area,
    pub labels: Vec<Placed>,
}

const FRAME_HEIGHT: f64 = 420.0;
pub(super) const MARGIN: f64 = 16.0;
pub(super) const ROW: f64 = 29.0;
const RADIUS: f64 = 6.0;
const SMALL_RADIUS: f64 = 3.5;

pub(super) fn form(series: usize) -> Form {
    FORMS[series % FORMS.len()]
}

pub(super) fn dash(series: usize) -> usize {
    (series + series / (FORMS.len() * DASHES.len())) % DASHES.len()
}

impl Look {
    /// Of the n-th series: line and marker.
    pub fn nth(series: usize) -> Self {
        Self { ink: INKS[series % INKS.len()], line: Some(dash(series)), form: Some(form(series)) }
    }

    pub fn markers(self) -> Self {
        Self { line: None, ..self }
    }
}

pub(super) fn text(at: Place, text: &str, anchor: Anchor, ink: Ink) -> Shape {
    Shape::Text { at, text: text.to_owned(), size: TEXT, ink, anchor, vertical: false }
}

pub(super) fn line(points: Vec<Place>, ink: Ink, width: f64) -> Shape {
    Shape::Line { points, ink, width, dash: &[] }
}

/// Draws a title, and gives where what follows begins.
pub(super) fn head(shapes: &mut Vec<Shape>, title: &str) -> f64 {
    let mut y = MARGIN;
    for words in wrap(title, TITLE, WIDTH - 2.0 * MARGIN) {
        y += TITLE / 2.0 + 2.0;
        let at = (WIDTH / 2.0, y);
        let anchor = Anchor::Middle;
        shapes.push(Shape::Text { at, text: words, size: TITLE, ink: BLACK, anchor, vertical: false });
        y += TITLE / 2.0 + 2.0;
    }
    y + 6.0
}

/// Draws notes from there on, and gives the height of the whole.
pub(super) fn foot(shapes: &mut Vec<Shape>, notes: &[String], from: f64) -> f64 {
    let mut y = from;
    for note in notes {
        for words in wrap(note, TEXT, WIDTH - 2.0 * MARGIN) {
            shapes.push(text((MARGIN, y + ROW / 2.0), &words, Anchor::Left, BLACK));
            y += ROW;
        }
    }
    y + MARGIN
}

impl Chart {
    /// As [`Chart::laid`], the scene alone.
    pub fn scene(&self) -> Scene {
        self.laid().scene
    }

    pub fn laid(&self) -> Laid {
        let mut shapes = Vec::new();
        let below_title = head(&mut shapes, &self.title);
        let top = self.legend(&mut shapes, below_title);
        let numbers = self.y.ticks.iter().map(|(_, number)| text_width(number, TEXT)).fold(0.0, f64::max);
        let frame = Area {
            from: (MARGIN + ROW + 8.0 + numbers + 10.0, top + 8.0),
            to: (WIDTH - MARGIN - self.overhang(), top + 8.0 + FRAME_HEIGHT),
        };
        self.axes(&mut shapes, &frame);
        let place = |dot: &Dot| {
            let x = frame.from.0 + self.x.share(dot.x) * (frame.to.0 - frame.from.0);
            (x, height(&self.y, &frame, dot.y))
        };
        for series in &self.series {
            self.lines(&mut shapes, series, &frame, &place);
        }
        for series in &self.series {
            if let Some(form) = series.look.form {
                let radius = if series.look.ink == GREY { SMALL_RADIUS } else { RADIUS };
                shapes.extend(series.dots.iter().map(|dot| Shape::Marker {
                    at: place(dot),
                    form,
                    radius,
                    ink: series.look.ink,
                    hollow: dot.extrapolated,
                }));
            }
        }
        let dots = self.series.iter().flat_map(|series| &series.dots);
        let wanted: Vec<(Place, String)> =
            dots.clone().filter_map(|dot| Some((place(dot), dot.label.clone()?))).collect();
        let mut lines = Vec::new();
        for series in self.series.iter().filter(|series| series.look.line.is_some()) {
            lines.extend(series.dots.windows(2).map(|pair| [place(&pair[0]), place(&pair[1])]));
        }
        let background = Background { markers: dots.map(place).collect(), lines };
        let (wanted, labels, key) = labelled(wanted, &background, &frame);
        for label in &labels {
            let Area { from, to } = label.area;
            if let Some(points) = label.leader {
                shapes.push(line(points.to_vec(), BLACK, 1.0));
            }
            let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
            shapes.push(text(middle, &wanted[label.point].1, Anchor::Middle, BLACK));
        }
        let below = columns(&mut shapes, &key, frame.to.1 + ROW * 2.0 + 14.0);
        let mut notes = self.notes.clone();
        if labels.len() < wanted.len() {
            notes.push(format!("{} of {} labels have no room.", wanted.len() - labels.len(), wanted.len()));
        }
        let height = foot(&mut shapes, &notes, below);
        Laid { scene: Scene { height, shapes }, frame, labels }
    }

    /// How far the last number of the x axis reaches beyond the frame, with a gap.
    fn overhang(&self) -> f64 {
        let last = self.x.ticks.last().filter(|(value, _)| self.x.share(*value) > 0.9);
        last.map_or(0.0, |(_, number)| text_width(number, TEXT) / 2.0).max(10.0) + 4.0
    }

    /// Rows of samples and names; gives where the frame may begin.
    fn legend(&self, shapes: &mut Vec<Shape>, from: f64) -> f64 {
        let named = self.series.iter().filter(|series| !series.name.is_empty());
        let mut keys: Vec<(Look, &str, bool)> =
            named.map(|series| (series.look, series.name.as_str(), false)).collect();
        if self.series.iter().flat_map(|series| &series.dots).any(|dot| dot.extrapolated) {
            let look = Look { ink: BLACK, line: None, form: Some(Form::Circle) };
            keys.push((look, "hollow: extrapolated", true));
        }
        if keys.is_empty() {
            return from;
        }
        let (mut x, mut y) = (MARGIN + 10.0, from + ROW / 2.0);
        for (look, name, hollow) in keys {
            let sample = if look.line.is_some() { 44.0 } else { 16.0 };
            let width = sample + 8.0 + text_width(name, TEXT) + 26.0;
            if x + width > WIDTH - MARGIN && x > MARGIN + 10.0 {
                x = MARGIN + 10.0;
                y += ROW;
            }
            if let Some(dash) = look.line {
                let points = vec![(x, y), (x + sample, y)];
                shapes.push(Shape::Line { points, ink: look.ink, width: 2.0, dash: DASHES[dash] });
            }
            if let Some(form) = look.form {
                let radius = if look.ink == GREY { SMALL_RADIUS } else { RADIUS };
                shapes.push(Shape::Marker { at: (x + sample / 2.0, y), form, radius, ink: look.ink, hollow });
            }
            shapes.push(text((x + sample + 8.0, y), name, Anchor::Left, BLACK));
            x += width;
        }
        y + ROW / 2.0
    }

    fn axes(&self, shapes: &mut Vec<Shape>, frame: &Area) {
        let (from, to) = (frame.from, frame.to);
        for (value, number) in &self.y.ticks {
            let y = height(&self.y, frame, *value);
            shapes.push(line(vec![(from.0, y), (to.0, y)], FAINT, 1.0));
            shapes.push(text((from.0 - 10.0, y), number, Anchor::Right, BLACK));
        }
        let mut end = f64::NEG_INFINITY;
        for (value, number) in &self.x.ticks {
            let x = from.0 + self.x.share(*value) * (to.0 - from.0);
            shapes.push(line(vec![(x, to.1), (x, to.1 + 6.0)], BLACK, 1.0));
            let half = text_width(number, TEXT) / 2.0;
            if x - half > end + 6.0 {
                shapes.push(text((x, to.1 + 6.0 + ROW / 2.0), number, Anchor::Middle, BLACK));
                end = x + half;
            }
        }
        shapes.push(line(vec![from, (from.0, to.1), to], BLACK, 1.5));
        let x = (from.0 + to.0) / 2.0;
        shapes.push(text((x, to.1 + 8.0 + ROW * 1.5), &self.x.label, Anchor::Middle, BLACK));
        shapes.push(Shape::Text {
            at: (MARGIN + ROW / 2.0, (from.1 + to.1) / 2.0),
            text: self.y.label.clone(),
            size: TEXT,
            ink: BLACK,
            anchor: Anchor::Middle,
            vertical: true,
        });
    }

    fn lines(&self, shapes: &mut Vec<Shape>, series: &Series, frame: &Area, place: &impl Fn(&Dot) -> Place) {
        let ink = series.look.ink;
        for dot in &series.dots {
            let Some((low, high)) = dot.bar else { continue };
            let (x, _) = place(dot);
            let (low, high) = (height(&self.y, frame, low), height(&self.y, frame, high));
            shapes.push(line(vec![(x, low), (x, high)], ink, 1.5));
            shapes.extend([low, high].map(|y| line(vec![(x - 4.0, y), (x + 4.0, y)], ink, 1.5)));
        }
        if let Some(dash) = series.look.line {
            let points = series.dots.iter().map(place).collect();
            shapes.push(Shape::Line { points, ink, width: 2.0, dash: DASHES[dash] });
        }
    }
}

type Wanted = Vec<(Place, String)>;

/// Labels beside their points if all have room, else numbers beside them and a key that says what the numbers are.
fn labelled(wanted: Wanted, background: &Background, frame: &Area) -> (Wanted, Vec<Placed>, Vec<String>) {
    let labels = labels::place(&wanted, background, frame);
    if labels.len() == wanted.len() {
        return (wanted, labels, Vec::new());
    }
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].0 .0.total_cmp(&wanted[b].0 .0).then(wanted[b].0 .1.total_cmp(&wanted[a].0 .1)));
    let mut numbers = wanted.clone();
    let mut key = Vec::new();
    for (at, &point) in order.iter().enumerate() {
        numbers[point].1 = (at + 1).to_string();
        key.push(format!("{}: {}", at + 1, wanted[point].1));
    }
    let labels = labels::place(&numbers, background, frame);
    (numbers, labels, key)
}

/// Draws texts in columns that are read downwards, and gives where what follows begins.
fn columns(shapes: &mut Vec<Shape>, texts: &[String], from: f64) -> f64 {
    let widest = texts.iter().map(|text| text_width(text, TEXT)).fold(1.0, f64::max) + 24.0;
    let across = (((WIDTH - 2.0 * MARGIN) / widest) as usize).max(1);
    let down = texts.len().div_ceil(across);
    for (at, words) in texts.iter().enumerate() {
        let (column, row) = (at / down, at % down);
        let place = (MARGIN + widest * column as f64, from + ROW * (row as f64 + 0.5));
        shapes.push(text(place, words, Anchor::Left, BLACK));
    }
    from + ROW * down as f64
}

/// The pixel of a value, within the frame.
fn height(axis: &Axis, frame: &Area, value: f64) -> f64 {
    frame.to.1 - axis.share(value).clamp(0.0, 1.0) * (frame.to.1 - frame.from.1)
}
