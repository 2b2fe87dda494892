//! The report as a page.

use std::fmt::Write as _;

use super::{Report, Section, Table};
use crate::figure::Figure;
use crate::options::Options;

impl Report {
    /// The page; its charts lie beside it.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut page = String::from("# What Weir costs beside what people would use instead\n\n");
        let _ = writeln!(page, "{}\n", self.intro());
        page.push_str(&goals(self.figures()));
        for section in &self.sections {
            page.push_str(&section.to_markdown());
        }
        page.push_str(&self.foot());
        page
    }

    /// The goals and, below them, what else was measured, for a terminal.
    #[must_use]
    pub fn goals_text(&self) -> String {
        let width = self.figures().map(|figure| figure.workload.chars().count());
        let width = width.max().unwrap_or(0);
        let line = |figure: &Figure| {
            let goal = figure
                .goal
                .map(|goal| format!("{} {}", goal.text(), figure.unit));
            let verdict = match (figure.goal, figure.is_ok()) {
                (None, _) => "",
                (_, true) => "met",
                (_, false) => "MISSED",
            };
            format!(
                "{:<width$}  {:>9} {:<7} ({}–{})  {:<14} {verdict}\n",
                figure.workload,
                short(figure.measured),
                figure.unit,
                short(figure.low),
                short(figure.high),
                goal.unwrap_or_default(),
            )
        };
        let held = self.figures().filter(|figure| figure.goal.is_some());
        let told = self.figures().filter(|figure| figure.goal.is_none());
        held.chain(told).map(line).collect()
    }

    fn intro(&self) -> String {
        let kind = if self.options.quick { "quick" } else { "whole" };
        let only = match self.options.workloads.len() {
            all if all == crate::options::Workload::ALL.len() => String::new(),
            _ => format!(
                " of {}",
                self.options
                    .workloads
                    .iter()
                    .map(|workload| format!("`{}`", workload.name()))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        let kind = match self.runs {
            1 => format!("A {kind} run"),
            runs => format!("{runs} runs ({kind}, each of other workloads)"),
        };
        format!(
            "{kind} of `weir bench`{only}, scale {} ({} rows, units are {}s), {} turns; it took {:.0} s. \
             Everything was measured in the same run on the same data, in turns; figures are medians with the lowest and the highest turn. \
             Answers were compared before anything was timed.",
            self.options.scale(),
            grouped(self.options.rows()),
            self.options.unit.name(),
            self.options.turns(),
            self.took_s
        )
    }

    fn foot(&self) -> String {
        let mut foot = String::from("\n## Where and with what\n\n");
        let machine = &self.machine;
        let _ = writeln!(
            foot,
            "{}, {} cores, {:.1} GiB of memory, {}; began {}.\n",
            machine.processor,
            machine.cores,
            machine.memory_mib as f64 / 1024.0,
            machine.system,
            self.began
        );
        let mut versions = Table::new(&["what", "version"]);
        for (name, version) in &self.versions {
            versions.row(vec![name.clone(), version.clone()]);
        }
        foot.push_str(&versions.to_markdown());
        for line in &self.skipped {
            let _ = writeln!(foot, "- {line}");
        }
        let _ = writeln!(
            foot,
            "\nEvery sample is in [report.json](report.json). {}",
            again(&self.options)
        );
        foot
    }
}

fn again(options: &Options) -> String {
    let quick = if options.quick { " --quick" } else { "" };
    let turns = options.turns.map(|turns| format!(" --turns {turns}"));
    let largest = options.largest_rows.map(|rows| format!(" --rows {rows}"));
    format!(
        "To measure it again: `weir bench{quick} --scale {}{}{}`.",
        options.scale(),
        largest.unwrap_or_default(),
        turns.unwrap_or_default()
    )
}

/// The table of goals.
fn goals<'a>(figures: impl Iterator<Item = &'a Figure>) -> String {
    let mut table = Table::new(&["workload", "measured", "goal", ""]);
    for figure in figures {
        let Some(goal) = figure.goal else { continue };
        table.row(vec![
            figure.workload.clone(),
            format!("{} {}", short(figure.measured), figure.unit),
            format!("{} {}", goal.text(), figure.unit),
            if figure.is_ok() { "met" } else { "**missed**" }.to_owned(),
        ]);
    }
    match table.rows.is_empty() {
        true => String::new(),
        false => format!("## Goals\n\n{}", table.to_markdown()),
    }
}

impl Section {
    fn to_markdown(&self) -> String {
        let mut page = format!("\n## {}\n\n", self.title);
        for paragraph in &self.text {
            let _ = writeln!(page, "{paragraph}\n");
        }
        for chart in &self.charts {
            let _ = writeln!(page, "![{}]({}.svg)\n", chart.title, chart.name);
        }
        for table in &self.tables {
            page.push_str(&table.to_markdown());
            page.push('\n');
        }
        page
    }
}

impl Table {
    fn to_markdown(&self) -> String {
        let mut text = format!("| {} |\n", self.head.join(" | "));
        let _ = writeln!(text, "|{}", "---|".repeat(self.head.len()));
        for row in &self.rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }
}

/// Three significant digits, or all digits before the point.
fn short(number: f64) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    let digits = match number.abs() {
        large if large >= 100.0 => 0,
        ten if ten >= 10.0 => 1,
        one if one >= 1.0 => 2,
        _ => 3,
    };
    format!("{number:.digits$}")
}

/// A whole number with a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_readable() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        assert_eq!(short(1234.5), "1234");
        assert_eq!(short(1.234), "1.23");
        assert_eq!(short(f64::NAN), "–");
    }
}
