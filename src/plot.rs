//! Line plots as SVG and PNG: black axes, colours that the colour-blind tell apart, markers that print in grey.

use crate::files;
use anyhow::{anyhow, Context, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

/// Okabe and Ito's palette, without its yellow, which is faint on white.
pub const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// One series: a line through its points, or markers at them.
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// An index into [`COLORS`].
    pub color: usize,
    pub style: Style,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Line,
    Dashes,
    Circles,
    Triangles,
    Crosses,
}

/// A plot with linear axes that show `x` and `y`.
pub struct Plot {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub x: (f64, f64),
    pub y: (f64, f64),
    pub series: Vec<Series>,
}

const SIZE: (u32, u32) = (900, 600);
const FONT: &str = "sans-serif";
const MARKER: u32 = 5;

impl Plot {
    pub fn write_svg(&self, path: &Path) -> Result<()> {
        let mut text = String::new();
        self.draw(&SVGBackend::with_string(&mut text, SIZE).into_drawing_area())?;
        files::write(path, text.as_bytes())
    }

    pub fn write_png(&self, path: &Path) -> Result<()> {
        // The backend writes to a path only.
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let file = folder.path().join("plot.png");
        // The same font on every machine.
        let registered = plotters::style::register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
        registered.map_err(|_| anyhow!("the plot's font cannot be read"))?;
        self.draw(&BitMapBackend::new(&file, SIZE).into_drawing_area())?;
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        files::write(path, &bytes)
    }

    fn draw<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>) -> Result<()> {
        let failed = |error: DrawingAreaErrorKind<B::ErrorType>| anyhow!("cannot draw the plot: {error}");
        root.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(root)
            .caption(&self.title, (FONT, 22))
            .margin(16)
            .x_label_area_size(48)
            .y_label_area_size(60)
            .build_cartesian_2d(self.x.0..self.x.1, self.y.0..self.y.1)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .axis_desc_style((FONT, 18))
            .label_style((FONT, 15))
            .light_line_style(WHITE)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{y:.0}"))
            .draw()
            .map_err(failed)?;
        for series in &self.series {
            let color = COLORS[series.color % COLORS.len()];
            let points = series.points.iter().copied();
            let line = color.stroke_width(2);
            let drawn = match series.style {
                Style::Line => chart.draw_series(LineSeries::new(points, line)),
                Style::Dashes => chart.draw_series(DashedLineSeries::new(points, 7, 5, line)),
                Style::Circles => chart.draw_series(points.map(|point| Circle::new(point, MARKER, line).into_dyn())),
                Style::Triangles => {
                    chart.draw_series(points.map(|point| TriangleMarker::new(point, MARKER + 1, line).into_dyn()))
                }
                Style::Crosses => chart.draw_series(points.map(|point| Cross::new(point, MARKER, line).into_dyn())),
            };
            let style = series.style;
            drawn.map_err(failed)?.label(&series.name).legend(move |(x, y)| {
                let end = (x + 26, y);
                let middle = (x + 13, y);
                match style {
                    Style::Line => PathElement::new(vec![(x, y), end], line).into_dyn(),
                    Style::Dashes => PathElement::new(vec![(x, y), (x + 10, y)], line).into_dyn(),
                    Style::Circles => Circle::new(middle, MARKER, line).into_dyn(),
                    Style::Triangles => TriangleMarker::new(middle, MARKER + 1, line).into_dyn(),
                    Style::Crosses => Cross::new(middle, MARKER, line).into_dyn(),
                }
            });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .border_style(BLACK)
            .label_font((FONT, 15))
            .draw()
            .map_err(failed)?;
        root.present().map_err(failed)
    }
}
