//! Charts as SVG. The same report has the same bytes.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Chart, Drawn};
use crate::error::{Result, failed};

/// In pixels of the drawing; the page scales it.
const SIZE: (u32, u32) = (860, 340);
const LABEL_SIZE: u32 = 13;
const TITLE_SIZE: u32 = 16;
/// Of the series, in their order; Weir first. Told apart in grey as well.
const COLOURS: [RGBColor; 5] = [
    RGBColor(24, 78, 119),
    RGBColor(217, 136, 34),
    RGBColor(118, 176, 65),
    RGBColor(148, 103, 189),
    RGBColor(120, 120, 120),
];
const GOAL: RGBColor = RGBColor(190, 40, 40);
/// About that of a letter of a label, in pixels.
const LETTER_WIDTH: f64 = 6.0;
/// Share of a group's width that its bars take.
const GROUP_WIDTH: f64 = 0.8;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

impl Chart {
    /// The chart as SVG.
    ///
    /// # Errors
    /// `BENCH_FAILED`, which would be a bug.
    pub fn to_svg(&self) -> Result<String> {
        let mut svg = String::new();
        let drawn = {
            let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            self.draw(&root)
        };
        drawn.ok_or_else(|| failed("drawing a chart")(&self.name))?;
        Ok(svg)
    }

    fn draw(&self, root: &Area<'_>) -> Option<()> {
        root.fill(&WHITE).ok()?;
        let root = root.titled(&self.title, ("sans-serif", TITLE_SIZE)).ok()?;
        match &self.drawn {
            Drawn::Bars {
                labels,
                series,
                unit,
            } => bars(&root, (labels, series, unit), self.goal)?,
            Drawn::Lines {
                across,
                unit,
                series,
            } => lines(&root, (across, unit, series), self.goal)?,
        }
        root.present().ok()
    }
}

type Series = [(String, Vec<f64>)];
/// Name and points.
type Line = (String, Vec<(f64, f64)>);

fn bars(
    root: &Area<'_>,
    (labels, series, unit): (&[String], &Series, &str),
    goal: Option<f64>,
) -> Option<()> {
    let heights = series.iter().flat_map(|(_, heights)| heights).copied();
    let top = above(heights.chain(goal));
    let groups = labels.len() as f64;
    let mut chart = ChartBuilder::on(root)
        .margin(8)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..groups, 0.0..top)
        .ok()?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_labels(6)
        .y_desc(unit)
        .label_style(("sans-serif", LABEL_SIZE))
        .draw()
        .ok()?;
    let width = GROUP_WIDTH / series.len().max(1) as f64;
    for (at, (name, heights)) in series.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let bar = |(group, height): (usize, &f64)| {
            let left = group as f64 + (1.0 - GROUP_WIDTH) / 2.0 + at as f64 * width;
            let height = if height.is_finite() { *height } else { 0.0 };
            Rectangle::new(
                [(left, 0.0), (left + width * 0.92, height)],
                colour.filled(),
            )
        };
        chart
            .draw_series(heights.iter().enumerate().map(bar))
            .ok()?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour.filled()));
    }
    if let Some(goal) = goal {
        chart
            .draw_series(path([(0.0, goal), (groups, goal)], GOAL))
            .ok()?
            .label("goal")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 10, y)], GOAL.stroke_width(2)));
    }
    legend(&mut chart)?;
    names(root, chart.plotting_area(), labels)
}

/// The names of the groups, below them, on two lines in turn where one is too short: plotters would leave some out.
fn names<DB, CT>(root: &Area<'_>, plot: &DrawingArea<DB, CT>, labels: &[String]) -> Option<()>
where
    DB: DrawingBackend,
    CT: CoordTranslate,
{
    let (across, down) = plot.get_pixel_range();
    let base = root.get_base_pixel();
    let width = f64::from(across.end - across.start) / labels.len().max(1) as f64;
    let style = TextStyle::from(("sans-serif", LABEL_SIZE - 2).into_font()).pos(
        plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Center,
            plotters::style::text_anchor::VPos::Top,
        ),
    );
    let longest = labels.iter().map(|label| label.chars().count()).max();
    let is_tight = longest.unwrap_or(0) as f64 * LETTER_WIDTH > width;
    for (at, label) in labels.iter().enumerate() {
        let x = f64::from(across.start) + (at as f64 + 0.5) * width;
        let line = if is_tight && at % 2 == 1 { 15 } else { 0 };
        let place = (x as i32 - base.0, down.end - base.1 + 6 + line);
        root.draw(&Text::new(label.clone(), place, style.clone()))
            .ok()?;
    }
    Some(())
}

fn lines(
    root: &Area<'_>,
    (across, unit, series): (&str, &str, &[Line]),
    goal: Option<f64>,
) -> Option<()> {
    let points = || series.iter().flat_map(|(_, points)| points);
    let low = points().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let high = points().map(|(x, _)| *x).fold(0.0, f64::max);
    if !low.is_finite() || low <= 0.0 {
        return Some(());
    }
    let top = above(points().map(|(_, y)| *y).chain(goal));
    let mut chart = ChartBuilder::on(root)
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d((low * 0.9..high * 1.1).log_scale(), 0.0..top)
        .ok()?;
    chart
        .configure_mesh()
        .x_labels(8)
        .y_labels(6)
        .x_desc(across)
        .y_desc(unit)
        .x_label_formatter(&|x| counted(*x))
        .label_style(("sans-serif", LABEL_SIZE))
        .draw()
        .ok()?;
    for (at, (name, points)) in series.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let marks = points
            .iter()
            .map(|point| Circle::new(*point, 3, colour.filled()));
        chart.draw_series(marks).ok()?;
        chart
            .draw_series(path(points.iter().copied(), colour))
            .ok()?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 10, y)], colour.stroke_width(2)));
    }
    if let Some(goal) = goal {
        let ends = [(low * 0.9, goal), (high * 1.1, goal)];
        chart
            .draw_series(path(ends, GOAL))
            .ok()?
            .label("goal")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 10, y)], GOAL.stroke_width(2)));
    }
    legend(&mut chart)
}

fn path(
    points: impl IntoIterator<Item = (f64, f64)>,
    colour: RGBColor,
) -> std::iter::Once<PathElement<(f64, f64)>> {
    let points: Vec<(f64, f64)> = points.into_iter().collect();
    std::iter::once(PathElement::new(points, colour.stroke_width(2)))
}

fn legend<'a, CT>(chart: &mut ChartContext<'a, SVGBackend<'a>, CT>) -> Option<()>
where
    CT: CoordTranslate,
{
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .label_font(("sans-serif", LABEL_SIZE))
        .draw()
        .ok()
}

/// Where an axis ends that shows all of these.
fn above(heights: impl Iterator<Item = f64>) -> f64 {
    let highest = heights.filter(|height| height.is_finite());
    let highest = highest.fold(0.0, f64::max);
    if highest > 0.0 { highest * 1.18 } else { 1.0 }
}

/// A count as people say it.
fn counted(number: f64) -> String {
    let (number, unit) = match number {
        million if million >= 1e6 => (number / 1e6, " M"),
        thousand if thousand >= 1e3 => (number / 1e3, " k"),
        _ => (number, ""),
    };
    format!("{number:.0}{unit}")
}
