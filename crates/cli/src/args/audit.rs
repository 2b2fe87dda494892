//! The arguments of `weir audit replay`.

use clap::Args as ClapArgs;

use super::OutputArgs;

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    /// A run id, or the number of the release's entry in the log
    pub(crate) release: String,
    /// Threads to compute on [default: as many as runs have]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) threads: u32,
    /// Rows that the engine handles at once [default: as many as runs have]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) batch_rows: u32,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
