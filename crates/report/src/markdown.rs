//! Markdown with tables.

use crate::report::{Cell, Report};

pub(crate) fn write(report: &Report) -> String {
    let mut text = format!("# {}\n", escaped(&report.title));
    for note in &report.notes {
        text += &format!("\n{}\n", escaped(note));
    }
    for section in &report.sections {
        text += &format!("\n## {}\n\n", escaped(&section.title));
        let heads: Vec<_> = section.columns.iter().map(|name| escaped(name)).collect();
        text += &line(&heads);
        let first = section.rows.first();
        let rule = (0..heads.len()).map(|column| match first.map(|row| &row[column]) {
            Some(Cell::Number(_)) => "---:".to_owned(),
            _ => "---".to_owned(),
        });
        text += &line(&rule.collect::<Vec<_>>());
        for row in &section.rows {
            let cells: Vec<_> = row.iter().map(|cell| escaped(&cell.text())).collect();
            text += &line(&cells);
        }
    }
    text
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// What Markdown reads as more than text gets a backslash; a line break would end a table.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '&' | '~' => {
                escaped.push('\\');
                escaped.push(character);
            }
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}
