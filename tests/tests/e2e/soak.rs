//! Small runs at full load, for as long as one likes: how many a minute, and whether memory grows. `cargo xtask soak`.

use std::time::{Duration, Instant};

use weir_tests::{EXACT_POLICY, TestDomain};

/// Minutes, unless the environment says otherwise.
const MINUTES: f64 = 1.0;
/// Runs under way at once: the most one organisation may have is 16.
const AT_ONCE: usize = 8;
/// Runs before memory is looked at: caches fill.
const WARM_RUNS: u64 = 300;
/// How much larger the process may be at the end, in bytes; what the allocator keeps moves by as much.
const GROWTH_BYTES_MAX: u64 = 128 * 1024 * 1024;

const MANIFEST: &str = r#"
name = "trips"
population = "vehicles"
unit = "plate"
description = "made up"
source = "made up"
licence = "CC0-1.0"
column = [
    { name = "plate", type = "string", role = "identifier", description = "which vehicle" },
    { name = "town", type = "string", role = "quasi-identifier", description = "where" },
    { name = "distance", type = "int64", role = "measure", description = "miles" },
]
"#;

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim()
        .strip_suffix(" kB")
        .unwrap()
        .trim()
        .parse::<u64>()
        .unwrap()
        * 1024
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes as many minutes as it is told; `cargo xtask soak --minutes N`"]
async fn small_runs_for_some_minutes() {
    let minutes =
        std::env::var("WEIR_SOAK_MINUTES").map_or(MINUTES, |minutes| minutes.parse().unwrap());
    let settings = "[metrics]\nlisten = \"127.0.0.1:0\"\n";
    let domain = TestDomain::start_with(|folder| {
        std::fs::write(folder.policy(), EXACT_POLICY).unwrap();
        weir_tests::add_settings(folder, settings);
    })
    .await;
    let mut csv = "plate,town,distance\n".to_owned();
    for trip in 0..1_000 {
        csv += &format!("P{},town {},{trip}\n", trip % 200, trip % 5);
    }
    domain
        .register_bytes("trips.csv", csv.as_bytes(), MANIFEST)
        .await
        .unwrap();

    let begun = Instant::now();
    let length = Duration::from_secs_f64(minutes * 60.0);
    let (mut runs, mut took) = (0_u64, Vec::new());
    let mut warm = None;
    while begun.elapsed() < length {
        let batch = (0..AT_ONCE).map(|n| {
            let sql = format!(
                "SELECT town, COUNT(*) AS n FROM trips WHERE distance >= {} GROUP BY town",
                n as u64 % 3
            );
            let domain = &domain;
            async move {
                let begun = Instant::now();
                domain.run(&sql).await.unwrap();
                begun.elapsed()
            }
        });
        took.extend(join_all(batch).await);
        runs += AT_ONCE as u64;
        if runs >= WARM_RUNS && warm.is_none() {
            warm = Some(resident_bytes());
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_millis();
    let now = resident_bytes();
    println!(
        "{runs} runs in {seconds:.0} s: {:.0} a minute; a run takes {} ms (median), {} ms (99 %); memory {} MiB warm, {} MiB at the end",
        runs as f64 * 60.0 / seconds,
        at(0.5),
        at(0.99),
        warm.unwrap_or(now) / 1024 / 1024,
        now / 1024 / 1024
    );
    print_appends(domain.metrics_address().unwrap()).await;
    if let Some(warm) = warm {
        assert!(
            now < warm + GROWTH_BYTES_MAX,
            "memory grows: {warm} to {now} bytes"
        );
    }
}

async fn join_all<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let all: Vec<_> = all.collect();
    futures::future::join_all(all).await
}

/// The histogram of appends, as the metrics have it.
async fn print_appends(address: std::net::SocketAddr) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    for line in text
        .lines()
        .filter(|line| line.starts_with("weir_log_append"))
    {
        println!("{line}");
    }
}
