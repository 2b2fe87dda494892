//! Disclosure checks on tables of real data, beside ACRO, which researchers use on frames in memory: of the bundled flights, and
//! of insurance policies where somebody has put their file.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;
use weir_catalogue::Manifest;
use weir_ledger::Ledger;

use crate::bench::Bench;
use crate::checked::{Asker, new_ledger};
use crate::data::Sealed;
use crate::equal::Cells;
use crate::error::{BenchError, Result, failed};
use crate::figure::Figure;
use crate::peers;
use crate::plain;
use crate::report::{Section, Table, grouped};
use crate::samples::{Contender, interleaved};

/// See `examples/flights/README.md` for source and licence.
const FLIGHTS: &[u8] = include_bytes!("../../../../examples/flights/flights.parquet");
const MANIFEST: &str = include_str!("../../../../examples/flights/flights.toml");

/// Where files are that are no part of the repository, unless `WEIR_SHARED_DATA` says so.
const SHARED: &str = "../shared/data";
/// French motor third-party liability policies (CASdatasets): each column with its type.
const POLICIES: &str = "freMTPL2freq.parquet";
const POLICY_COLUMNS: [(&str, &str); 12] = [
    ("IDpol", "int64"),
    ("ClaimNb", "int64"),
    ("Exposure", "float64"),
    ("Area", "string"),
    ("VehPower", "int64"),
    ("VehAge", "int64"),
    ("DrivAge", "int64"),
    ("BonusMalus", "int64"),
    ("VehBrand", "string"),
    ("VehGas", "string"),
    ("Density", "int64"),
    ("Region", "string"),
];

/// Real data, and the table that is made of it: the sum of a value by two keys, all as the file's header has them.
struct Real {
    name: &'static str,
    says: &'static str,
    manifest: Manifest,
    file: Vec<u8>,
    keys: [&'static str; 2],
    value: &'static str,
    unit: &'static str,
}

impl Real {
    fn flights() -> Result<Self> {
        Ok(Self {
            name: "flights",
            says: "Miles flown by carrier and airport, of flights by aircraft",
            manifest: read(MANIFEST, "flights.toml")?,
            file: FLIGHTS.to_vec(),
            keys: ["carrier", "origin"],
            value: "distance",
            unit: "tailnum",
        })
    }

    /// None where the file is not there, which is noted.
    fn policies(bench: &Bench<'_>) -> Result<Option<Self>> {
        let folder = std::env::var_os("WEIR_SHARED_DATA");
        let file = folder.map_or_else(|| PathBuf::from(SHARED), PathBuf::from);
        let Ok(file) = std::fs::read(file.join(POLICIES)) else {
            bench.skip(&format!(
                "`{POLICIES}` of the R package CASdatasets is not in `{SHARED}`, nor where `WEIR_SHARED_DATA` says: motor \
                 policies are left out"
            ));
            return Ok(None);
        };
        let mut text = "name = \"policies\"\npopulation = \"policies\"\nunit = \"idpol\"\ndescription = \"Motor policies\"\n\
                        source = \"CASdatasets\"\nlicence = \"GPL-2.0-or-later\"\n"
            .to_owned();
        for (header, kind) in POLICY_COLUMNS {
            let role = match header {
                "IDpol" => "identifier",
                _ => "measure",
            };
            let _ = write!(
                text,
                "\n[[column]]\nname = \"{}\"\nheader = \"{header}\"\ntype = \"{kind}\"\nrole = \"{role}\"\ndescription = \"{header}\"\n",
                header.to_lowercase()
            );
        }
        Ok(Some(Self {
            name: "policies",
            says: "Claims by brand and region, of motor policies by policy",
            manifest: read(&text, "policies.toml")?,
            file,
            keys: ["VehBrand", "Region"],
            value: "ClaimNb",
            unit: "IDpol",
        }))
    }

    fn sql(&self) -> String {
        let [first, second] = self.keys.map(str::to_lowercase);
        let value = self.value.to_lowercase();
        format!(
            "SELECT {first} AS k0, {second} AS k1, SUM({value}) AS n0 FROM lineitem GROUP BY 1, 2"
        )
    }
}

fn read(text: &str, name: &str) -> Result<Manifest> {
    Manifest::from_toml(text, name).map_err(failed("reading a manifest"))
}

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut section = Section::new("disclosure", "Disclosure checks on real data");
    section.say(
        "A sum by two keys over real data. *ACRO* checks the table as `crosstab` of a frame that is in memory already: threshold, dominance and p-ratio by rows, as it knows no units. \
         *Weir* reads it from sealed files and checks by units, complements and history besides. What both show has to be the same.",
    );
    let mut table = Table::new(&[
        "table",
        "rows",
        "units",
        "cells",
        "shown by Weir",
        "shown by ACRO",
        "Weir, s",
        "ACRO, s",
        "ACRO ÷ Weir",
    ]);
    beside(bench, &Real::flights()?, &mut section, &mut table)?;
    if let Some(policies) = Real::policies(bench)? {
        beside(bench, &policies, &mut section, &mut table)?;
    }
    section.tables.push(table);
    Ok(section)
}

fn beside(bench: &Bench<'_>, real: &Real, section: &mut Section, table: &mut Table) -> Result<()> {
    let of = (real.name, real.unit);
    let sealed = Sealed::of_file(&bench.options.data, of, &real.manifest, &real.file)?;
    let sql = real.sql();
    let session = plain::session(&sealed, bench.threads)?;
    let (_, exact) = bench.runtime.block_on(plain::asked(&session, &sql))?;
    let exact = Cells::of_batches(&exact, 2)?;
    let asker = Asker::to_compare(&sealed, None)?;
    let ours = bench
        .runtime
        .block_on(asker.ask(&sql, &mut Ledger::in_memory([7; 16])))?;
    let ours = Cells::of_batches(&[ours.table], 2)?;
    ours.check_within(&exact, "a table of real data by Weir")?;
    let asker = Asker::new(&sealed, None)?;
    let weir: Contender<'_> = Box::new(|| {
        let mut ledger = new_ledger(&bench.options.data.join("disclosure-ledger"))?;
        Ok(bench
            .runtime
            .block_on(asker.ask(&sql, &mut ledger))?
            .whole_s)
    });
    let file = sealed.folder.join(format!("{}.parquet", real.name));
    let file = file.to_string_lossy();
    let [first, second] = real.keys;
    let arguments = [&*file, first, second, real.value, real.unit];
    let peer = peers::start(bench, &peers::ACRO, &arguments)?.map(RefCell::new);
    let question = json!({"keys": real.keys, "value": real.value, "unit": real.unit});
    let mut contenders = vec![weir];
    let mut theirs_shown = None;
    if let Some(peer) = &peer {
        let answer = peer.borrow_mut().ask(&question)?;
        let theirs = Cells::of_json(&answer["rows"], 2)?;
        theirs.check_within(&exact, "a table of real data by ACRO")?;
        theirs_shown = Some(theirs.len());
        contenders.push(Box::new(|| peer.borrow_mut().number(&question, "seconds")));
    }
    if ours.len() == 0 {
        return Err(BenchError::unequal(real.name, "Weir released nothing"));
    }
    bench.say(&format!("disclosure checks: {}", real.name));
    let samples = interleaved(bench.options.turns(), &mut contenders)?;
    drop(contenders);
    let theirs = samples.get(1).cloned().unwrap_or_default();
    table.row(vec![
        real.says.to_owned(),
        grouped(sealed.meta.rows),
        grouped(sealed.meta.units),
        exact.len().to_string(),
        ours.len().to_string(),
        theirs_shown.map_or_else(|| "–".to_owned(), |shown| shown.to_string()),
        samples[0].spread(4),
        theirs.spread(4),
        theirs.over(&samples[0]).spread(2),
    ]);
    section.keep(format!("{}: weir", real.name), &samples[0]);
    if !theirs.is_empty() {
        section.keep(format!("{}: ACRO", real.name), &theirs);
        section.figures.push(Figure::told(
            &format!("ACRO ÷ Weir, {}", real.name),
            &theirs.over(&samples[0]),
            "×",
            false,
        ));
    }
    Ok(())
}
