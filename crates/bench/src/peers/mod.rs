//! What people would use instead. A peer that is not there is a line that says how it comes, and never an error.

pub(crate) mod arrow_udf;
mod python;

pub(crate) use python::{Python, Started};

use serde_json::json;

use crate::bench::Bench;
use crate::equal::Cells;
use crate::error::Result;

const PROTOCOL: &str = include_str!("../../py/protocol.py");

/// A peer in Python: its name, its program, and what installs it.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    script: &'static str,
    package: &'static str,
}

pub(crate) const DUCKDB: Kind = Kind {
    name: "DuckDB",
    script: include_str!("../../py/duckdb_peer.py"),
    package: "duckdb pyarrow numpy",
};
pub(crate) const SQLITE: Kind = Kind {
    name: "SQLite",
    script: include_str!("../../py/sqlite_peer.py"),
    package: "pyarrow",
};
pub(crate) const OPENDP: Kind = Kind {
    name: "OpenDP",
    script: include_str!("../../py/opendp_peer.py"),
    package: "'opendp[polars]'",
};
pub(crate) const ACRO: Kind = Kind {
    name: "ACRO",
    script: include_str!("../../py/acro_peer.py"),
    package: "acro pyarrow",
};

/// Starts a peer; none where it is not there, which is noted.
pub(crate) fn start(bench: &Bench<'_>, kind: &Kind, arguments: &[&str]) -> Result<Option<Python>> {
    let python = &bench.options.python;
    let script = format!("{PROTOCOL}\n{}", kind.script);
    match Python::start(python, kind.name, &script, arguments)? {
        Started::Ready(peer, version) => {
            bench.note_version(&kind.name.to_lowercase(), &version);
            Ok(Some(peer))
        }
        Started::Absent(why) => {
            bench.skip(&format!(
                "{} is not measured: {why}. `{} -m pip install {}` installs it; `--python PATH` names another Python",
                kind.name,
                python.display(),
                kind.package
            ));
            Ok(None)
        }
    }
}

impl Python {
    /// Asks for the time of a query.
    pub(crate) fn timed(&mut self, sql: &str) -> Result<f64> {
        self.number(&json!({"op": "query", "sql": sql}), "seconds")
    }

    /// Asks a query for its cells.
    pub(crate) fn cells(&mut self, sql: &str, keys: usize) -> Result<Cells> {
        let answer = self.ask(&json!({"op": "query", "sql": sql, "rows": true}))?;
        Cells::of_json(&answer["rows"], keys)
    }
}
