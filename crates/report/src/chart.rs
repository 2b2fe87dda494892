//! Bar charts as SVG.

use plotters::prelude::*;

use crate::error::ReportError;
use crate::report::{Cell, Section};

/// In pixels of the drawing; the page scales it.
const SIZE: (u32, u32) = (760, 260);
/// Bars at most: the largest ones of a section, in the section's order of rows.
const BARS_MAX: usize = 16;
/// Characters of a bar's name.
const NAME_CHARS: usize = 10;
/// Of the axes, in pixels.
const LABEL_SIZE: u32 = 13;
const COLOUR: RGBColor = RGBColor(46, 94, 140);

const FAILED: ReportError = ReportError::Write { what: "a chart" };

/// The rows of a section as bars: the first column names them, `column` is their height.
pub(crate) fn bars(section: &Section, column: usize) -> Result<String, ReportError> {
    let rows = section.rows.iter().take(BARS_MAX);
    let bars: Vec<(String, u64)> = rows
        .filter_map(|row| match &row[column] {
            Cell::Number(height) => Some((name(&row[0]), *height)),
            Cell::Text(_) => None,
        })
        .collect();
    let mut svg = String::new();
    draw(&mut svg, &bars).ok_or(FAILED)?;
    // Inside HTML an <svg> needs no name space, and without it the page holds no address at all.
    Ok(svg
        .replace(" xmlns=\"http://www.w3.org/2000/svg\"", " role=\"img\"")
        .replace(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>",
            "",
        ))
}

fn draw(svg: &mut String, bars: &[(String, u64)]) -> Option<()> {
    let highest = bars.iter().map(|(_, height)| *height).max().unwrap_or(0);
    let top = highest.saturating_add(highest / 10).max(1);
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let last = bars.len().saturating_sub(1);
    let mut chart = ChartBuilder::on(&root)
        .margin(8)
        .x_label_area_size(28)
        .y_label_area_size(72)
        .build_cartesian_2d((0..last).into_segmented(), 0..top)
        .ok()?;
    let named = |at: &SegmentValue<usize>| match at {
        SegmentValue::Exact(bar) | SegmentValue::CenterOf(bar) => bars
            .get(*bar)
            .map_or_else(String::new, |(name, _)| name.clone()),
        SegmentValue::Last => String::new(),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(bars.len() + 1)
        .x_label_formatter(&named)
        .y_labels(5)
        .label_style(("sans-serif", LABEL_SIZE))
        .draw()
        .ok()?;
    // Bar by bar, in their order: the crate's own histogram goes through a hash map, and the same report has the same bytes.
    let drawn = bars.iter().enumerate().map(|(bar, (_, height))| {
        let right = match bar == last {
            true => SegmentValue::Last,
            false => SegmentValue::Exact(bar + 1),
        };
        let corners = [(SegmentValue::Exact(bar), 0), (right, *height)];
        let mut drawn = Rectangle::new(corners, COLOUR.filled());
        drawn.set_margin(0, 0, 6, 6);
        drawn
    });
    chart.draw_series(drawn).ok()?;
    root.present().ok()
}

fn name(cell: &Cell) -> String {
    let text = cell.text();
    match text.char_indices().nth(NAME_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
