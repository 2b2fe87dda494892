//! Progress on standard error: a bar where someone watches, a line per stage where nobody does.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use weir_client::v1::Progress;

const BAR: &str = "{spinner} {msg:<40} [{bar:30}] {percent:>3} % {elapsed}";
const SPINNER: &str = "{spinner} {msg:<40} {elapsed}";
const TICK: Duration = Duration::from_millis(100);

/// Shows how far one long call is.
pub(crate) struct Meter {
    bar: ProgressBar,
    stage: String,
    watched: bool,
    begun: Instant,
}

impl Meter {
    pub(crate) fn start() -> Self {
        let bar = ProgressBar::new(100);
        bar.set_style(style(SPINNER));
        bar.enable_steady_tick(TICK);
        Self {
            bar,
            stage: String::new(),
            watched: std::io::stderr().is_terminal(),
            begun: Instant::now(),
        }
    }

    /// Shows one step.
    pub(crate) fn step(&mut self, progress: &Progress) {
        if self.stage != progress.stage {
            self.stage.clone_from(&progress.stage);
            self.bar.set_style(style(if progress.percent.is_some() {
                BAR
            } else {
                SPINNER
            }));
            if !self.watched {
                eprintln!("      … {}", self.stage);
            }
        }
        if let Some(percent) = progress.percent {
            self.bar.set_position(u64::from(percent));
        }
        self.bar.set_message(match progress.rows {
            Some(rows) if rows > 0 => format!("{} · {} rows", self.stage, HumanCount(rows)),
            _ => self.stage.clone(),
        });
    }

    /// Clears the bar and tells how long it took.
    pub(crate) fn finish(self) -> Duration {
        self.bar.finish_and_clear();
        self.begun.elapsed()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸ ")
}
