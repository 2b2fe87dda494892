//! The three formats of a report say the same, whatever names are in it, and the page stands alone.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

use pulldown_cmark::{Event as Part, Options, Parser, Tag, TagEnd};
use weir_audit::{Actor, DatasetRef, Digest, Entry, Event, LogKey, LogReport, ModelRef, Timestamp};
use weir_report::{Cell, Language, Report, Scope, Year, operation, security};

/// Names that would be more than names somewhere.
const HOSTILE: [&str; 6] = [
    "<script src=\"//evil.example/x.js\">alert(1)</script>",
    "=HYPERLINK(\"x\")",
    "a | b \\ c \n| d |",
    "'quoted' & \"more\" &amp; [x](y) ![i](j) `code` *em* _em_ ~~s~~",
    "@cmd, \"with, commas\"",
    "华安保险（集团）",
];

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn entry(time: &str, organisation: &str, event: Event) -> Entry {
    let actor = Actor {
        person: "li".to_owned(),
        organisation: organisation.to_owned(),
        role: "operator".to_owned(),
    };
    Entry::new(at(time), actor, event)
}

fn released(dataset: &str, cells: u64) -> Event {
    let digest = Digest::of(b"");
    Event::ReleaseDecided {
        run: "r".to_owned(),
        request_digest: digest,
        datasets: vec![DatasetRef {
            name: dataset.to_owned(),
            snapshot: "s".to_owned(),
        }],
        models: vec![ModelRef {
            name: "m".to_owned(),
            digest,
        }],
        policy_digest: digest,
        cells_released: cells,
        cells_withheld_at_most: 10,
        table_digest: digest,
        ledger: None,
        bits_out: None,
    }
}

/// A year in which hostile names did everything there is.
fn entries() -> Vec<Entry> {
    let mut entries = vec![entry(
        "2025-12-31T23:59:59.000Z",
        "b",
        Event::DomainInitialised {
            domain: "d".to_owned(),
            origin: "weir/d".to_owned(),
        },
    )];
    for (n, name) in (1_u64..).zip(HOSTILE) {
        let time = format!("2026-{:02}-01T00:00:00.000Z", n);
        let run = |event| entry(&time, name, event);
        entries.extend((0..n).map(|_| run(released(name, n * 100))));
        entries.push(run(Event::RunRefused {
            run: "r".to_owned(),
            request_digest: Digest::of(b""),
            code: "SQL_SYNTAX".to_owned(),
        }));
        entries.push(run(Event::AlertRaised {
            alert: format!("a{n}"),
            rule: "refusal_burst".to_owned(),
            subject: name.to_owned(),
            measured: 20 + n,
            limit: 20,
            since: at(&time),
        }));
        if n % 2 == 0 {
            let text_digest = Digest::of(b"");
            entries.push(run(Event::AlertAcknowledged {
                alert: format!("a{n}"),
                text_digest,
            }));
        }
        entries.push(run(Event::FreezeChanged {
            scope: "operator".to_owned(),
            name: name.to_owned(),
            frozen: true,
            reason: name.to_owned(),
        }));
    }
    entries.push(entry(
        "2027-01-01T00:00:00.000Z",
        "x",
        released("x", 1_000_000),
    ));
    entries
}

/// A log with these entries, verified.
fn log() -> (tempfile::TempDir, LogReport) {
    let folder = tempfile::tempdir().unwrap();
    let key = LogKey::generate("weir/d").unwrap();
    let verifier = key.verifier().clone();
    let dir = folder.path().join("log");
    let mut log = weir_audit::Log::create(&dir, key).unwrap();
    log.append_all(&entries()).unwrap();
    let report = weir_audit::read_log(&dir, &verifier, &mut |_, _| {}, &mut |_, _| {}).unwrap();
    (folder, report)
}

fn reports(operator: Option<&str>) -> Vec<Report> {
    let (_folder, log) = log();
    let mut year = Year::new(Scope {
        year: 2026,
        operator: operator.map(str::to_owned),
    });
    entries().iter().for_each(|entry| year.hear(entry));
    let languages = [Language::English, Language::Chinese];
    let both = languages.map(|language| {
        [
            operation(&year, &log, language),
            security(&year, &log, language),
        ]
    });
    both.into_iter().flatten().collect()
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => number.to_string(),
    }
}

/// The cells of all tables as text, with what no table can hold made a space.
fn cells(report: &Report) -> Vec<Vec<String>> {
    let rows = report.sections.iter().flat_map(|section| &section.rows);
    let one_line = |cell: &Cell| text(cell).replace('\n', " ");
    rows.map(|row| row.iter().map(one_line).collect()).collect()
}

fn of_markdown(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    for part in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match part {
            Part::End(TagEnd::TableCell) => row.push(std::mem::take(&mut cell)),
            Part::End(TagEnd::TableRow) => rows.push(std::mem::take(&mut row)),
            Part::End(TagEnd::TableHead) => row.clear(),
            Part::Text(said) => cell += &said,
            Part::Start(
                Tag::Table(_)
                | Tag::TableCell
                | Tag::TableRow
                | Tag::TableHead
                | Tag::Paragraph
                | Tag::Heading { .. },
            )
            | Part::End(_) => {
                cell.clear();
            }
            other => panic!("a name became {other:?}"),
        }
    }
    rows
}

fn of_html(page: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for row in page.split("<tr><td").skip(1) {
        let row = row.split("</tr>").next().unwrap();
        let cells = row.split("</td>").filter(|cell| !cell.is_empty());
        let said = cells.map(|cell| {
            let said = cell.split_once('>').unwrap().1.trim_start_matches("<td");
            let said = said
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"");
            said.replace("&#39;", "'").replace("&amp;", "&")
        });
        rows.push(said.collect());
    }
    rows
}

fn of_csv(text: &str) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut before = (String::new(), String::new());
    for line in csv::Reader::from_reader(text.as_bytes()).records() {
        let line = line.unwrap();
        let place = (line[0].to_owned(), line[1].to_owned());
        if place != before {
            rows.push(Vec::new());
            before = place;
        }
        let value = &line[3];
        assert!(
            !value.starts_with(['=', '+', '-', '@']),
            "a spreadsheet would run {value}"
        );
        let value = match value.strip_prefix('\'') {
            Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest,
            _ => value,
        };
        rows.last_mut().unwrap().push(value.replace('\n', " "));
    }
    rows
}

#[test]
fn the_formats_agree_cell_by_cell() {
    for operator in [None, Some(HOSTILE[0])] {
        for report in reports(operator) {
            let expected = cells(&report);
            assert!(expected.len() > 15);
            assert_eq!(of_csv(&report.to_csv().unwrap()), expected);
            assert_eq!(of_html(&report.to_html().unwrap()), expected);
            // Markdown makes nothing of spaces at the ends of a cell and of several in a row.
            let spaced = |rows: Vec<Vec<String>>| -> Vec<Vec<String>> {
                let cell = |cell: String| cell.split_whitespace().collect::<Vec<_>>().join(" ");
                rows.into_iter()
                    .map(|row| row.into_iter().map(cell).collect())
                    .collect()
            };
            assert_eq!(spaced(of_markdown(&report.to_markdown())), spaced(expected));
        }
    }
}

#[test]
fn the_page_refers_to_nothing_outside_itself() {
    for report in reports(None) {
        let page = report.to_html().unwrap();
        for reference in [
            "http:", "https:", "href=\"", "href='", "src=\"", "src='", "url(", "@import",
            "<script", "<link", "<img", "<iframe", "xlink",
        ] {
            assert!(!page.contains(reference), "{reference} in\n{page}");
        }
        assert!(page.contains("default-src 'none'"));
        assert_eq!(
            page,
            report.to_html().unwrap(),
            "the same report has the same bytes"
        );
        let drawn: usize = report
            .sections
            .iter()
            .map(|section| section.charted.len())
            .sum();
        assert_eq!(page.matches("<svg").count(), drawn);
        assert!(drawn >= 3, "{drawn}");
        assert!(page.matches("<rect").count() >= drawn);
    }
}

#[test]
fn a_year_ends_where_the_next_begins() {
    let reports = reports(None);
    let summary = |report: &Report| -> Vec<String> {
        report.sections[0]
            .rows
            .iter()
            .map(|row| text(&row[1]))
            .collect()
    };
    // 1 to 6 releases of 100 to 600 cells, one refusal each.
    assert_eq!(
        summary(&reports[0]),
        ["0", "21", "6", "9100", "210", "6", "1"]
    );
    assert_eq!(summary(&reports[1])[..4], ["6", "6", "3", "3"]);
    let of_one = self::reports(Some(HOSTILE[5]));
    assert_eq!(summary(&of_one[0])[1..4], ["6", "1", "3600"]);
    assert_eq!(summary(&of_one[1])[..4], ["1", "1", "1", "0"]);
    assert_eq!(reports[2].title, "年度运营报告: d, 2026");
}
