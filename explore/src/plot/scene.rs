//! A drawing as shapes in pixels, and its two files. What is laid out is known here, so tests can measure it.

use super::palette::{Form, Ink, WHITE};
use super::PlotError;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const FONT: &str = "sans-serif";
/// Pixels across. At a print width of 170 mm (482 points) a pixel is 0.535 points.
pub const WIDTH: f64 = 900.0;
/// Height of ordinary text: plotters writes 1 / 1.24 of it as the font's size, which is 10.3 points in print.
pub const TEXT: f64 = 24.0;
pub const TITLE: f64 = 28.0;
/// Of a PNG: pixels for each of the scene's, 270 an inch at a print width of 170 mm.
const PNG_SCALE: u32 = 2;
/// The bitmap backend centres a box that ends at the font's baseline: by this share of its height a text stands too high.
const PNG_DROP: f64 = 0.13;

pub type Place = (f64, f64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Left,
    Middle,
    Right,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Line {
        points: Vec<Place>,
        ink: Ink,
        width: f64,
        dash: &'static [f64],
    },
    Marker {
        at: Place,
        form: Form,
        radius: f64,
        ink: Ink,
        hollow: bool,
    },
    Block {
        from: Place,
        to: Place,
        ink: Ink,
    },
    /// `at` is at half the text's height. A vertical one reads upwards.
    Text {
        at: Place,
        text: String,
        size: f64,
        ink: Ink,
        anchor: Anchor,
        vertical: bool,
    },
}

/// Shapes in the order of drawing, on white.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    pub height: f64,
    pub shapes: Vec<Shape>,
}

/// Corners of least and greatest coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub from: Place,
    pub to: Place,
}

impl Area {
    pub fn overlaps(&self, other: &Area) -> bool {
        self.from.0 < other.to.0 && other.from.0 < self.to.0 && self.from.1 < other.to.1 && other.from.1 < self.to.1
    }

    pub fn holds(&self, other: &Area) -> bool {
        self.from.0 <= other.from.0 && self.from.1 <= other.from.1 && self.to.0 >= other.to.0 && self.to.1 >= other.to.1
    }
}

/// Pixels across a text. A viewer of SVG has a font of its own, and this has room for the wider ones.
pub fn text_width(text: &str, size: f64) -> f64 {
    if register().is_err() {
        return text.chars().count() as f64 * size * 0.6;
    }
    let font = FontDesc::new(FontFamily::SansSerif, size * 8.0, FontStyle::Normal);
    let wide = font.box_size(text).map_or(text.chars().count() as f64 * size * 4.8, |(width, _)| f64::from(width));
    wide / 8.0 * 1.08
}

/// The space of a text that is not vertical.
pub fn text_area(at: Place, text: &str, size: f64, anchor: Anchor) -> Area {
    let width = text_width(text, size);
    let left = match anchor {
        Anchor::Left => at.0,
        Anchor::Middle => at.0 - width / 2.0,
        Anchor::Right => at.0 - width,
    };
    Area { from: (left, at.1 - size * 0.42), to: (left + width, at.1 + size * 0.42) }
}

/// The text in lines of at most that width, broken at spaces.
pub fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), size) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The same font on every machine; both backends measure texts by it.
fn register() -> Result<(), PlotError> {
    plotters::style::register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| PlotError::Font)
}

impl Scene {
    pub fn svg(&self) -> Result<String, PlotError> {
        let mut text = String::new();
        let size = (WIDTH as u32, self.height.ceil() as u32);
        self.draw(&SVGBackend::with_string(&mut text, size).into_drawing_area(), 1.0, 0.0)?;
        Ok(text)
    }

    /// With twice the pixels.
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        // The backend encodes into a path only.
        let folder = tempfile::tempdir().map_err(PlotError::Folder)?;
        let file = folder.path().join("plot.png");
        let size = (WIDTH as u32 * PNG_SCALE, self.height.ceil() as u32 * PNG_SCALE);
        self.draw(&BitMapBackend::new(&file, size).into_drawing_area(), f64::from(PNG_SCALE), PNG_DROP)?;
        std::fs::read(&file).map_err(PlotError::Folder)
    }

    /// `drop` is how far texts are moved down, as a share of their height.
    fn draw<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>, scale: f64, drop: f64) -> Result<(), PlotError> {
        register()?;
        let failed = |error: DrawingAreaErrorKind<B::ErrorType>| PlotError::Drawing(error.to_string());
        root.fill(&rgb(WHITE)).map_err(failed)?;
        let pixel = |(x, y): Place| ((x * scale).round() as i32, (y * scale).round() as i32);
        for shape in &self.shapes {
            match shape {
                Shape::Line { points, ink, width, dash } => {
                    let style = rgb(*ink).stroke_width((width * scale).round() as u32);
                    for piece in dashes(points, dash) {
                        let piece: Vec<(i32, i32)> = piece.into_iter().map(pixel).collect();
                        root.draw(&PathElement::new(piece, style)).map_err(failed)?;
                    }
                }
                Shape::Marker { at, form: Form::Circle, radius, ink, hollow } => {
                    let radius = radius * scale;
                    let fill = if *hollow { rgb(WHITE) } else { rgb(*ink) };
                    root.draw(&Circle::new(pixel(*at), radius, fill.filled())).map_err(failed)?;
                    let edge = rgb(*ink).stroke_width((2.0 * scale) as u32);
                    root.draw(&Circle::new(pixel(*at), radius, edge)).map_err(failed)?;
                }
                Shape::Marker { at, form, radius, ink, hollow } => {
                    let mut corners: Vec<(i32, i32)> =
                        corners(*form).iter().map(|(x, y)| pixel((at.0 + x * radius, at.1 + y * radius))).collect();
                    let fill = if *hollow { rgb(WHITE) } else { rgb(*ink) };
                    root.draw(&Polygon::new(corners.clone(), fill.filled())).map_err(failed)?;
                    corners.extend_from_within(..2);
                    let edge = rgb(*ink).stroke_width((2.0 * scale) as u32);
                    root.draw(&PathElement::new(corners, edge)).map_err(failed)?;
                }
                Shape::Block { from, to, ink } => {
                    root.draw(&Rectangle::new([pixel(*from), pixel(*to)], rgb(*ink).filled())).map_err(failed)?;
                }
                Shape::Text { at, text, size, ink, anchor, vertical } => {
                    let across = match anchor {
                        Anchor::Left => HPos::Left,
                        Anchor::Middle => HPos::Center,
                        Anchor::Right => HPos::Right,
                    };
                    let turn = if *vertical { FontTransform::Rotate270 } else { FontTransform::None };
                    let ink = rgb(*ink);
                    let at = if *vertical { (at.0 + drop * size, at.1) } else { (at.0, at.1 + drop * size) };
                    let style = TextStyle::from((FONT, size * scale).into_font().transform(turn))
                        .color(&ink)
                        .pos(Pos::new(across, VPos::Center));
                    root.draw(&Text::new(text.as_str(), pixel(at), style)).map_err(failed)?;
                }
            }
        }
        root.present().map_err(failed)
    }
}

fn rgb([red, green, blue]: Ink) -> RGBColor {
    RGBColor(red, green, blue)
}

/// For a radius of 1: areas are about a circle's.
fn corners(form: Form) -> &'static [Place] {
    match form {
        Form::Circle => &[],
        Form::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        Form::Triangle => &[(0.0, -1.3), (1.2, 0.8), (-1.2, 0.8)],
        Form::Diamond => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
        Form::DownTriangle => &[(0.0, 1.3), (-1.2, -0.8), (1.2, -0.8)],
    }
}

/// The inked pieces of a path.
fn dashes(points: &[Place], dash: &[f64]) -> Vec<Vec<Place>> {
    if dash.is_empty() {
        return vec![points.to_vec()];
    }
    let mut pieces = Vec::new();
    let (mut turn, mut left) = (0, dash[0]);
    let mut piece: Vec<Place> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let rest = (to.0 - from.0).hypot(to.1 - from.1);
            if rest <= left {
                left -= rest;
                piece.push(to);
                break;
            }
            let share = left / rest;
            from = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            piece.push(from);
            if turn % 2 == 0 {
                pieces.push(std::mem::take(&mut piece));
            }
            piece = vec![from];
            turn = (turn + 1) % dash.len();
            left = dash[turn];
        }
    }
    if turn % 2 == 0 && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_around_corners() {
        let path = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0)];
        let pieces = dashes(&path, &[3.0, 2.0]);
        assert_eq!(pieces, [vec![(0.0, 0.0), (3.0, 0.0)], vec![(4.0, 1.0), (4.0, 4.0)]]);
        assert_eq!(dashes(&path, &[5.0, 9.0]), [vec![(0.0, 0.0), (4.0, 0.0), (4.0, 1.0)]]);
        assert_eq!(dashes(&path, &[]), [path.to_vec()]);
    }

    #[test]
    fn texts_are_broken_at_spaces_and_lose_no_word() {
        let text = "three points were refused and are not drawn";
        let lines = wrap(text, TEXT, 200.0);
        assert!(lines.len() > 1, "{lines:?}");
        assert!(lines.iter().all(|line| text_width(line, TEXT) <= 200.0), "{lines:?}");
        assert_eq!(lines.join(" "), text);
    }
}
