//! The arguments of `weir report`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// What operators did with the domain in a year; needs no server
    #[command(
        after_help = "Example:\n  weir report operation --log domain/log --key domain/log.vkey --year 2026 --format html > 2026.html"
    )]
    Operation(ReportArgs),
    /// What was refused, watched for and taken back in a year; needs no server
    #[command(
        after_help = "Example:\n  weir report security --log domain/log --key domain/log.vkey --year 2026 --operator \"Acme Insurance\" --language zh"
    )]
    Security(ReportArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReportArgs {
    /// The calendar year, in UTC
    #[arg(long, value_parser = clap::value_parser!(i32).range(1970..=9999))]
    pub(crate) year: i32,
    /// The log's folder
    #[arg(long, value_name = "DIR")]
    pub(crate) log: PathBuf,
    /// File with the log's public key [default: the identity's]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// One operator's organisation [default: the whole domain]
    #[arg(long, value_name = "NAME")]
    pub(crate) operator: Option<String>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = ReportFormat::Md)]
    pub(crate) format: ReportFormat,
    /// In which language
    #[arg(long, value_enum, default_value_t = ReportLanguage::En)]
    pub(crate) language: ReportLanguage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Markdown
    Md,
    /// Comma-separated, one line for each cell
    Csv,
    /// One HTML page with charts
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportLanguage {
    /// English
    En,
    /// Chinese
    Zh,
}
