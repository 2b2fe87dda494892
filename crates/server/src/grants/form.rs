//! An application as an operator writes it: TOML in, a form whose every field is there out. What is missing is named,
//! all of it at once.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use weir_audit::Digest;
use weir_catalogue::{Manifest, Role as ColumnRole, Sharing};
use weir_policy::Policy;

use super::terms::{ANY_VETTED, Columns, Models, Quotas};
use crate::domain::Domain;
use crate::fault::{Fault, dataset_unknown};

/// Longest application, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Longest scenario, in characters: it is a name.
const SCENARIO_CHARS_MAX: usize = 200;

/// Longest purpose or commitment, in characters.
const PURPOSE_CHARS_MAX: usize = 2_000;

/// Most commitments, partners, datasets or models.
const ENTRIES_MAX: usize = 64;

/// Longest term, in days: three years with a leap day.
const DAYS_MAX: u32 = 1_096;

/// Longest name of a source in errors, in characters.
const SOURCE_CHARS_MAX: usize = 200;

/// What is asked for, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) scenario: String,
    pub(crate) purpose: String,
    pub(crate) days: u32,
    pub(crate) datasets: Columns,
    pub(crate) models: Models,
    /// A policy layer in TOML; empty for none.
    pub(crate) policy: String,
    pub(crate) quotas: Quotas,
    pub(crate) partners: BTreeSet<String>,
    /// The grant that this one is to follow.
    pub(crate) renews: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    scenario: Option<String>,
    purpose: Option<String>,
    days: Option<u32>,
    security: Option<Vec<String>>,
    #[serde(default)]
    partners: BTreeSet<String>,
    models: Option<WrittenModels>,
    datasets: Option<BTreeMap<String, BTreeSet<String>>>,
    #[serde(default)]
    quotas: WrittenQuotas,
    policy: Option<toml::Table>,
    renews: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenModels {
    One(String),
    Digests(BTreeSet<String>),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct WrittenQuotas {
    runs: Option<u64>,
    cells: Option<u64>,
    bits_out: Option<u64>,
    epsilon: Option<f64>,
    fuel: Option<u64>,
    bytes: Option<u64>,
}

impl Form {
    /// Reads an application.
    pub(crate) fn parse(text: &str, source: &str) -> Result<Self, Fault> {
        let source: String = source
            .chars()
            .filter(|letter| !letter.is_control())
            .take(SOURCE_CHARS_MAX)
            .collect();
        if text.len() > TEXT_BYTES_MAX {
            return Err(Fault::caller(
                "APPLICATION_INVALID",
                format!("`{source}` is longer than {TEXT_BYTES_MAX} bytes. Shorten it"),
            ));
        }
        let written: Written = toml::from_str(text).map_err(|error| {
            Fault::caller(
                "APPLICATION_INVALID",
                format!("`{source}`: {error}. docs/grants.md lists the keys"),
            )
        })?;
        let mut problems = Vec::new();
        let form = written.complete(&mut problems);
        match (form, problems.is_empty()) {
            (Some(form), true) => Ok(form),
            _ => Err(Fault::caller(
                "APPLICATION_INCOMPLETE",
                format!(
                    "`{source}` is not complete: {}. docs/grants.md explains each field",
                    problems.join("; ")
                ),
            )),
        }
    }
}

impl Written {
    fn complete(self, problems: &mut Vec<String>) -> Option<Form> {
        let scenario = text("scenario", self.scenario, SCENARIO_CHARS_MAX, problems);
        let purpose = text("purpose", self.purpose, PURPOSE_CHARS_MAX, problems);
        let days = match self.days {
            Some(days) if (1..=DAYS_MAX).contains(&days) => Some(days),
            Some(_) => {
                problems.push(format!(
                    "`days` must be from 1 to {DAYS_MAX}: three years at most"
                ));
                None
            }
            None => missing("days", problems),
        };
        match self.security {
            Some(security) if !security.is_empty() && security.len() <= ENTRIES_MAX => {
                for entry in security {
                    text("security", Some(entry), PURPOSE_CHARS_MAX, problems);
                }
            }
            _ => problems.push(format!(
                "`security` must list 1 to {ENTRIES_MAX} commitments"
            )),
        }
        let datasets = match self.datasets {
            Some(datasets) if !datasets.is_empty() && datasets.len() <= ENTRIES_MAX => {
                for (name, _) in datasets.iter().filter(|(_, columns)| columns.is_empty()) {
                    problems.push(format!("`datasets.{}` names no column", short(name)));
                }
                Some(datasets)
            }
            Some(_) => {
                problems.push(format!("`datasets` must name 1 to {ENTRIES_MAX}"));
                None
            }
            None => missing("datasets", problems),
        };
        if self.partners.len() > ENTRIES_MAX {
            problems.push(format!("`partners` may name {ENTRIES_MAX} at most"));
        }
        let models = models(self.models, problems);
        let policy = policy(self.policy, problems);
        let quotas = quotas(self.quotas, problems);
        Some(Form {
            scenario: scenario?,
            purpose: purpose?,
            days: days?,
            datasets: datasets?,
            models: models?,
            policy: policy?,
            quotas: quotas?,
            partners: self.partners,
            renews: self.renews,
        })
    }
}

fn missing<T>(field: &str, problems: &mut Vec<String>) -> Option<T> {
    problems.push(format!("`{field}` is missing"));
    None
}

/// A line of text that is there and says something.
fn text(
    field: &str,
    value: Option<String>,
    chars_max: usize,
    problems: &mut Vec<String>,
) -> Option<String> {
    let Some(value) = value else {
        return missing(field, problems);
    };
    let value = value.trim().to_owned();
    let fits = (1..=chars_max).contains(&value.chars().count())
        && !value
            .chars()
            .any(|letter| letter.is_control() && letter != '\n');
    if !fits {
        problems.push(format!(
            "`{field}` must have 1 to {chars_max} characters and no control characters"
        ));
    }
    fits.then_some(value)
}

fn models(written: Option<WrittenModels>, problems: &mut Vec<String>) -> Option<Models> {
    match written {
        Some(WrittenModels::One(any)) if any == ANY_VETTED => Some(Models::AnyVetted),
        Some(WrittenModels::Digests(digests))
            if digests.len() <= ENTRIES_MAX
                && digests
                    .iter()
                    .all(|digest| digest.parse::<Digest>().is_ok()) =>
        {
            Some(Models::Digests(digests))
        }
        Some(_) => {
            problems.push(format!(
                "`models` must be `\"{ANY_VETTED}\"` or a list of digests (`sha256:…`), which may be empty"
            ));
            None
        }
        None => missing("models", problems),
    }
}

fn policy(written: Option<toml::Table>, problems: &mut Vec<String>) -> Option<String> {
    let Some(mut table) = written else {
        return Some(String::new());
    };
    table
        .entry("name")
        .or_insert_with(|| toml::Value::String("grant".to_owned()));
    let text = toml::to_string(&table).ok()?;
    match Policy::layer_from_toml(&text, "policy") {
        Ok(_) => Some(text),
        Err(error) => {
            problems.push(format!("`policy` is no policy: {error}"));
            None
        }
    }
}

fn quotas(written: WrittenQuotas, problems: &mut Vec<String>) -> Option<Quotas> {
    let epsilon_millionths = match written.epsilon {
        None => None,
        // Far below where a float is not exact in millionths.
        Some(epsilon) if epsilon.is_finite() && (0.0..=1_000_000.0).contains(&epsilon) => {
            Some((epsilon * 1e6).floor() as u64)
        }
        Some(_) => {
            problems.push("`quotas.epsilon` must be from 0 to 1000000".to_owned());
            return None;
        }
    };
    Some(Quotas {
        runs: written.runs,
        cells: written.cells,
        bits_out: written.bits_out,
        epsilon_millionths,
        fuel: written.fuel,
        bytes: written.bytes,
    })
}

/// Checks datasets and columns against the catalogue, and gives the provider of each dataset that names one.
pub(super) async fn check_columns(
    domain: &Domain,
    datasets: &Columns,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut providers = BTreeMap::new();
    for (name, columns) in datasets {
        let manifest = manifest(domain, name).await?;
        for column in columns {
            check_column(&manifest, name, column)?;
        }
        if let Some(provider) = &manifest.terms().provider {
            providers.insert(name.clone(), provider.clone());
        }
    }
    Ok(providers)
}

/// The provider of each of these datasets that names one.
pub(super) async fn providers(
    domain: &Domain,
    datasets: &Columns,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut providers = BTreeMap::new();
    for name in datasets.keys() {
        if let Some(provider) = &manifest(domain, name).await?.terms().provider {
            providers.insert(name.clone(), provider.clone());
        }
    }
    Ok(providers)
}

async fn manifest(domain: &Domain, name: &str) -> Result<Manifest, Fault> {
    let record = domain.registry.dataset(name).await?;
    let record = record.ok_or_else(|| dataset_unknown(name))?;
    Ok(Manifest::from_toml(
        &record.manifest_toml,
        "the stored manifest",
    )?)
}

fn check_column(manifest: &Manifest, dataset: &str, name: &str) -> Result<(), Fault> {
    let Some(column) = manifest.column(name) else {
        return Err(Fault::caller(
            "APPLICATION_COLUMN",
            format!(
                "`{dataset}` has no column `{}`. `weir dataset show {dataset}` lists those there are",
                short(name)
            ),
        ));
    };
    let basis = match (&column.not_shared, &manifest.terms().sharing) {
        (Some(basis), _) => Some(basis),
        (None, Sharing::NotShared(basis)) => Some(basis),
        _ => None,
    };
    if let Some(basis) = basis {
        return Err(Fault::policy(
            "APPLICATION_NOT_SHARED",
            format!("`{dataset}.{name}` is not shared with anybody, by {basis}. Leave it out"),
        ));
    }
    if column.role == ColumnRole::Identifier {
        return Err(Fault::policy(
            "APPLICATION_NOT_SHARED",
            format!(
                "`{dataset}.{name}` identifies units and is not stored: datasets join on it without reading it. Leave it out"
            ),
        ));
    }
    Ok(())
}

/// As much of a caller's word as is quoted back.
pub(super) fn short(name: &str) -> String {
    let letters = name.chars().filter(|letter| !letter.is_control());
    letters.take(crate::services::NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    const WHOLE: &str = r#"
scenario = "Punctuality"
purpose = "A public report"
days = 365
security = ["Two people look at every query"]
models = "any-vetted"
[datasets]
flights = ["carrier"]
"#;

    #[test]
    fn a_whole_form_reads() {
        let form = Form::parse(WHOLE, "a.toml").unwrap();
        assert_eq!(form.datasets["flights"].len(), 1);
        let with = format!("{WHOLE}[quotas]\nepsilon = 1.5\n[policy.cell]\nunits_min = 20\n");
        let form = Form::parse(&with, "a.toml").unwrap();
        assert_eq!(form.quotas.epsilon_millionths, Some(1_500_000));
        let policy = Policy::layer_from_toml(&form.policy, "p").unwrap();
        assert_eq!(policy.units_min(), 20);
    }

    #[test]
    fn each_missing_field_is_named() {
        let fault = Form::parse("", "a.toml").unwrap_err();
        assert_eq!(fault.code, "APPLICATION_INCOMPLETE");
        for field in [
            "scenario", "purpose", "days", "security", "models", "datasets",
        ] {
            assert!(
                fault.message.contains(&format!("`{field}`")),
                "{field}: {}",
                fault.message
            );
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for (from, to, code) in [
            ("days = 365", "days = 1097", "APPLICATION_INCOMPLETE"),
            ("days = 365", "days = 0", "APPLICATION_INCOMPLETE"),
            ("days = 365", "days = -1", "APPLICATION_INVALID"),
            ("\"Punctuality\"", "\" \"", "APPLICATION_INCOMPLETE"),
            ("\"any-vetted\"", "\"any\"", "APPLICATION_INCOMPLETE"),
            ("\"any-vetted\"", "[\"sha256:0\"]", "APPLICATION_INCOMPLETE"),
            ("[\"carrier\"]", "[]", "APPLICATION_INCOMPLETE"),
            (
                "[datasets]\n",
                "policy.cell.units_min = 1\n[datasets]\n",
                "APPLICATION_INCOMPLETE",
            ),
            (
                "[datasets]\n",
                "policy.cell.unit_min = 11\n[datasets]\n",
                "APPLICATION_INCOMPLETE",
            ),
            (
                "[datasets]\n",
                "anything = 1\n[datasets]\n",
                "APPLICATION_INVALID",
            ),
            (
                "[datasets]\n",
                "quotas.epsilon = -1.0\n[datasets]\n",
                "APPLICATION_INCOMPLETE",
            ),
        ] {
            let text = WHOLE.replace(from, to);
            assert_ne!(text, WHOLE);
            let fault = Form::parse(&text, "a.toml").unwrap_err();
            assert_eq!(fault.code, code, "{to}: {}", fault.message);
        }
    }
}
