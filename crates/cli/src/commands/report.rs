//! `weir report`.

use std::path::Path;

use weir_client::v1::Progress;
use weir_report::{Language, Scope, Year};

use super::audit::log_key;
use crate::args::{ReportArgs, ReportCommand, ReportFormat, ReportLanguage};
use crate::error::CliError;
use crate::output::print;
use crate::progress::Meter;

pub(crate) fn run(identity: Option<&Path>, command: ReportCommand) -> Result<(), CliError> {
    let (args, make): (ReportArgs, fn(&Year, &_, _) -> _) = match command {
        ReportCommand::Operation(args) => (args, weir_report::operation),
        ReportCommand::Security(args) => (args, weir_report::security),
    };
    let key = log_key(identity, args.key)?;
    let mut year = Year::new(Scope {
        year: args.year,
        operator: args.operator,
    });
    let mut meter = Meter::start();
    let read = weir_audit::read_log(
        &args.log,
        &key,
        &mut |_, entry| year.hear(entry),
        &mut |done, total| {
            let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
            meter.step(&Progress {
                stage: "reading and verifying the log".to_owned(),
                percent: u32::try_from(percent).ok(),
                rows: None,
            });
        },
    );
    meter.finish();
    let language = match args.language {
        ReportLanguage::En => Language::English,
        ReportLanguage::Zh => Language::Chinese,
    };
    let report = make(&year, &read?, language);
    print(&match args.format {
        ReportFormat::Md => report.to_markdown(),
        ReportFormat::Csv => report.to_csv()?,
        ReportFormat::Html => report.to_html()?,
    })
}
