//! Yearly reports of a domain, or of one operator in it, from the log alone.
//!
//! **For**: the annual operation report and the annual security report that a bureau hands in. [`Year`] hears every entry
//! of a log while it is verified ([`weir_audit::read_log`]); [`operation`] and [`security`] make a [`Report`] of it, which is
//! written as Markdown, CSV or one HTML page, in English or Chinese.
//!
//! **Not for**: anything that is not in the log. What the log does not tell, such as the exact number of withheld cells, no
//! report tells; whoever holds the log and its public key makes the same report.
//!
//! **Invariants**
//! - The three formats are written from the same cells of the same [`Report`], so their numbers agree.
//! - The HTML page refers to nothing outside itself, and forbids a browser to load anything.
//! - Names are text in each format: none of them becomes a tag, a table's border or a spreadsheet's formula.
//! - Memory grows with the names in the log and not with its entries; lists have [`LISTED_MAX`] rows.

mod chart;
mod csv;
mod error;
mod html;
mod make;
mod markdown;
mod report;
mod words;
mod year;

pub use error::ReportError;
pub use make::{operation, security};
pub use report::{Cell, Report, Section};
pub use words::Language;
pub use year::{LISTED_MAX, Scope, Year};
