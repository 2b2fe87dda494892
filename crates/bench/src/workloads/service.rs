//! Small runs over gRPC: a whole server with its log on a disk, and clients over mutual TLS on loopback.

mod domain;

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_client::Client;
use weir_client::v1::RunRequest;

use self::domain::Served;
use crate::bench::Bench;
use crate::error::{Result, failed};
use crate::figure::{Figure, Goal};
use crate::memory;
use crate::report::{Chart, Drawn, Section, Table};
use crate::samples::Samples;

/// How many clients send at once.
const CLIENTS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Of those, in a quick run.
const QUICK: [usize; 3] = [1, 8, 64];

/// What is asked again and again, each time by a new run. No condition is anybody's choice, and the ledger has all of it.
const QUESTIONS: [&str; 6] = [
    "SELECT town, COUNT(*) AS n FROM trips GROUP BY town",
    "SELECT town, AVG(distance) AS miles FROM trips GROUP BY town",
    "SELECT kind, COUNT(*) AS n, SUM(distance) AS miles FROM trips GROUP BY kind ORDER BY n DESC",
    "SELECT town, kind, COUNT(*) AS n FROM trips GROUP BY town, kind",
    "SELECT COUNT(*) AS n, SUM(distance) AS miles FROM trips",
    "SELECT kind, AVG(distance) AS miles FROM trips GROUP BY kind HAVING COUNT(*) > 100",
];

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut section = Section::new("service", "Small runs over gRPC");
    section.say(format!(
        "A server as `weir serve` is, with the default settings (no time slot, no witnesses) and the default policy, and clients in the same process over mutual TLS on loopback: both share the {} cores. \
         A small run reads {} rows of {} units and releases a table of 1 to 20 cells; {} questions take turns, each asked by a new run. A run ends when its receipt has been verified: \
         the decision is durable in the log, the sets of units in the ledger, the charge in the registry. Clients are of eight organisations, as one may have 16 runs under way. A client sends its next run when the last one has ended.",
        bench.threads,
        domain::ROWS,
        domain::UNITS,
        QUESTIONS.len()
    ));
    let folder = bench.empty_folder("service")?;
    bench.say("starting a server");
    let counts = if bench.options.quick {
        &QUICK[..]
    } else {
        &CLIENTS[..]
    };
    let most = counts.iter().copied().max().unwrap_or(1);
    let measured = bench.runtime.block_on(async {
        let served = Served::start(&folder, most).await?;
        let measured = measure(bench, &served, counts).await;
        served.stop().await?;
        measured
    });
    let measured = measured?;
    std::fs::remove_dir_all(&folder).map_err(|error| crate::BenchError::file(&folder, error))?;
    told(&mut section, &measured);
    Ok(section)
}

/// What so many clients saw.
struct Measured {
    clients: usize,
    ms: Samples,
    /// Runs that ended in each second.
    per_second: Samples,
}

async fn measure(bench: &Bench<'_>, served: &Served, counts: &[usize]) -> Result<Vec<Measured>> {
    // Every question once: from then on the ledger knows them, as it does of whatever is asked every day.
    bench.say("each question once");
    sent(
        &served.clients[..1],
        QUESTIONS.len() as f64 / 2.0,
        Some(QUESTIONS.len()),
    )
    .await?;
    memory::forget_peak();
    let mut all = Vec::new();
    for clients in counts {
        bench.say(&format!("{clients} clients"));
        let seconds = bench.options.service_s();
        let (ms, ended) = sent(&served.clients[..*clients], seconds, None).await?;
        let whole = seconds.floor().max(1.0) as usize;
        let scale = (seconds / whole as f64).recip();
        let mut per_second = vec![0.0; whole];
        for at in ended {
            let second = (at * scale) as usize;
            if let Some(count) = per_second.get_mut(second) {
                *count += scale;
            }
        }
        all.push(Measured {
            clients: *clients,
            ms: Samples::new(ms),
            per_second: Samples::new(per_second),
        });
    }
    Ok(all)
}

/// Milliseconds of each run and the second in which it ended, of runs sent by these clients for so long, or until each sent
/// so many.
async fn sent(
    clients: &[Arc<Client>],
    seconds: f64,
    runs: Option<usize>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let begun = Instant::now();
    let length = Duration::from_secs_f64(seconds);
    let mut tasks = tokio::task::JoinSet::new();
    for (number, client) in clients.iter().enumerate() {
        let client = Arc::clone(client);
        tasks.spawn(async move {
            let mut taken = Vec::new();
            let more = |sent: usize| runs.map_or(begun.elapsed() < length, |runs| sent < runs);
            while more(taken.len()) {
                let sql = QUESTIONS[(number + taken.len()) % QUESTIONS.len()];
                let request = RunRequest {
                    sql: sql.to_owned(),
                    ..RunRequest::default()
                };
                let start = Instant::now();
                client.run(request, |_| {}).await?;
                taken.push((
                    start.elapsed().as_secs_f64() * 1e3,
                    begun.elapsed().as_secs_f64(),
                ));
            }
            Ok::<_, weir_client::ClientError>(taken)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let taken = done.map_err(failed("a client"))?;
        all.extend(taken.map_err(failed("a small run"))?);
    }
    Ok(all.into_iter().unzip())
}

fn told(section: &mut Section, all: &[Measured]) {
    let mut table = Table::new(&[
        "clients",
        "runs",
        "runs/s",
        "p50, ms",
        "p90, ms",
        "p99, ms",
        "longest, ms",
    ]);
    for of in all {
        let quantile = |share| format!("{:.1}", of.ms.quantile(share));
        table.row(vec![
            of.clients.to_string(),
            of.ms.values().len().to_string(),
            of.per_second.spread(0),
            quantile(0.5),
            quantile(0.9),
            quantile(0.99),
            quantile(1.0),
        ]);
        section.keep(format!("{} clients, ms", of.clients), &of.ms);
        section.keep(
            format!("{} clients, runs in each second", of.clients),
            &of.per_second,
        );
    }
    if let Some(single) = all.iter().find(|of| of.clients == 1) {
        let figure = |name, share, goal| {
            Figure::held(name, &single.ms, "ms", Goal::AtMost(goal)).at(single.ms.quantile(share))
        };
        section
            .figures
            .push(figure("small run over gRPC, one client, p50", 0.5, 15.0));
        section
            .figures
            .push(figure("small run over gRPC, one client, p99", 0.99, 50.0));
    }
    if let Some(many) = all.iter().find(|of| of.clients == 64) {
        section.figures.push(Figure::held(
            "small runs, 64 clients",
            &many.per_second,
            "runs/s",
            Goal::AtLeast(200.0),
        ));
    }
    if let Ok(mib) = memory::peak_mib() {
        section.figures.push(Figure::told(
            "server and clients of small runs, largest memory",
            &Samples::new(vec![mib]),
            "MiB",
            true,
        ));
        section.say(format!("Server and clients together had {mib:.0} MiB at most, with what earlier workloads of the same process left."));
    }
    let line = |name: &str, height: &dyn Fn(&Measured) -> f64| {
        let points = all.iter().map(|of| (of.clients as f64, height(of)));
        (name.to_owned(), points.collect::<Vec<_>>())
    };
    section.tables.push(table);
    section.charts.push(Chart {
        name: "service".to_owned(),
        title: "Small runs a second".to_owned(),
        drawn: Drawn::Lines {
            across: "clients".to_owned(),
            unit: "runs/s".to_owned(),
            series: vec![line("runs/s", &|of| of.per_second.median())],
        },
        goal: Some(200.0),
    });
    section.charts.push(Chart {
        name: "service-latency".to_owned(),
        title: "Latency of a small run".to_owned(),
        drawn: Drawn::Lines {
            across: "clients".to_owned(),
            unit: "ms".to_owned(),
            series: vec![
                line("p50", &|of| of.ms.quantile(0.5)),
                line("p99", &|of| of.ms.quantile(0.99)),
            ],
        },
        goal: None,
    });
}
