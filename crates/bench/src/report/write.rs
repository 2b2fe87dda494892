//! The report's files in a folder.

use std::path::Path;

use super::Report;
use crate::error::{BenchError, Result};

impl Report {
    /// Writes `report.json`, `README.md` and a chart each into a folder, which is made.
    ///
    /// # Errors
    /// `BENCH_FILE`, `BENCH_FAILED`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        crate::data::made(folder)?;
        let put = |name: &str, text: &str| {
            let file = folder.join(name);
            std::fs::write(&file, text).map_err(|error| BenchError::file(&file, error))
        };
        put("report.json", &self.to_json()?)?;
        put("README.md", &self.to_markdown())?;
        for chart in self.sections.iter().flat_map(|section| &section.charts) {
            put(&format!("{}.svg", chart.name), &chart.to_svg()?)?;
        }
        Ok(())
    }
}
