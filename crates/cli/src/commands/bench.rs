//! `weir bench`: Weir beside what people would use instead, on this machine.

use std::cell::RefCell;
use std::path::PathBuf;

use weir_bench::{Comparison, Figure, Options, Report, UnitOf, Workload};
use weir_client::v1::Progress;

use crate::args::{BenchArgs, BenchFormat, BenchUnit, BenchWorkload};
use crate::error::CliError;
use crate::output::print;
use crate::progress::Meter;

pub(crate) async fn run(args: BenchArgs) -> Result<(), CliError> {
    // It starts threads of its own and blocks: not on those that drive this command.
    let done = tokio::task::spawn_blocking(move || std::thread::spawn(move || bench(&args)).join());
    match done.await {
        Ok(Ok(done)) => done,
        _ => Err(CliError::Missing("the benchmark ended before it was done")),
    }
}

fn bench(args: &BenchArgs) -> Result<(), CliError> {
    if let Some(task) = &args.task {
        return print(&format!("{}\n", weir_bench::child(task)?));
    }
    // Read first: a wrong name is said before minutes of work.
    let before = args.compare.as_deref().map(Report::read).transpose()?;
    let report = match args.join.is_empty() {
        true => measured(args)?,
        false => joined(&args.join)?,
    };
    let out = args.out.clone().or_else(|| by_default(args.quick));
    if let Some(out) = &out {
        report.write(out)?;
        eprintln!("The report is in {}", out.display());
    }
    for line in &report.skipped {
        eprintln!("{line}");
    }
    let compared = before.map(|before| Comparison::of(&report, &before));
    if let Some(compared) = &compared {
        eprint!("{}", compared.to_text());
    }
    match args.format {
        BenchFormat::Json => print(&format!("{:#}\n", report.goals_json()))?,
        BenchFormat::Table => print(&report.goals_text())?,
    }
    let missed = report.figures().filter(|figure: &&Figure| !figure.is_ok());
    let missed = missed.count();
    let worse = compared.map_or(0, |compared| compared.regressions().count());
    match missed + worse {
        0 => Ok(()),
        _ => Err(CliError::Missed { missed, worse }),
    }
}

fn measured(args: &BenchArgs) -> Result<Report, CliError> {
    let meter = RefCell::new(Meter::start());
    let say = |what: &str| {
        meter.borrow_mut().step(&Progress {
            stage: what.to_owned(),
            percent: None,
            rows: None,
        });
    };
    let report = weir_bench::run(&options(args)?, &say);
    meter.into_inner().finish();
    Ok(report?)
}

fn joined(files: &[PathBuf]) -> Result<Report, CliError> {
    let mut reports = files.iter().map(|file| Report::read(file));
    let first = reports
        .next()
        .ok_or(CliError::Missing("--join names no report"))??;
    reports.try_fold(first, |all, report| Ok(all.joined(report?)?))
}

fn options(args: &BenchArgs) -> Result<Options, CliError> {
    let mut options = Options::new(args.data.clone(), args.quick);
    if !args.only.is_empty() {
        options.workloads = Workload::ALL.to_vec();
        options.workloads.retain(|workload| {
            args.only
                .iter()
                .any(|only| Workload::from(*only) == *workload)
        });
    }
    options.scale = args.scale;
    options.largest_rows = args.rows;
    options.turns = args.turns;
    options.ledger_cells = args.ledger_cells;
    options.service_s = args.service_seconds;
    options.unit = match args.unit {
        BenchUnit::Order => UnitOf::Order,
        BenchUnit::Customer => UnitOf::Customer,
    };
    options.python.clone_from(&args.python);
    options.arrow_udf.clone_from(&args.arrow_udf);
    let program =
        std::env::current_exe().map_err(|error| CliError::file(&PathBuf::from("weir"), &error))?;
    options.program = Some((program, vec!["bench".to_owned(), "--task".to_owned()]));
    Ok(options)
}

fn by_default(quick: bool) -> Option<PathBuf> {
    let results = PathBuf::from("benches/results");
    (!quick).then(|| results.join(env!("CARGO_PKG_VERSION")))
}

impl From<BenchWorkload> for Workload {
    fn from(workload: BenchWorkload) -> Self {
        match workload {
            BenchWorkload::Queries => Self::Queries,
            BenchWorkload::Models => Self::Models,
            BenchWorkload::Registration => Self::Registration,
            BenchWorkload::Service => Self::Service,
            BenchWorkload::Ledger => Self::Ledger,
            BenchWorkload::Scale => Self::Scale,
            BenchWorkload::Memory => Self::Memory,
            BenchWorkload::Noise => Self::Noise,
            BenchWorkload::Disclosure => Self::Disclosure,
        }
    }
}
