//! From figures to findings.

use std::collections::BTreeMap;

use super::finding::{Aspect, Finding, Severity};
use super::flow::{Constant, Uses};
use super::limits::look;
use super::measure::Measured;
use super::report::{DatasetReport, InputReport, OutputReport, REPORT_VERSION, Report, TierReport};
use super::{Analysis, Vetting};
use crate::tier::{Isolation, Tier};

/// Constants of an input shown.
const EXAMPLES_MAX: usize = 6;

pub(super) fn report(vetting: &Vetting<'_>, analysis: &Analysis, measured: &Measured) -> Report {
    let mut code = analysis.figures.code.clone();
    code.component_bytes = vetting.admitted.bytes().len() as u64;
    let mut report = Report {
        version: REPORT_VERSION,
        digest: vetting.admitted.digest().to_owned(),
        submitted_digest: vetting.submitted_digest.to_owned(),
        signature: vetting.admitted.signature().to_string(),
        inputs: inputs(vetting, &analysis.uses),
        outputs: outputs(vetting, measured),
        datasets: datasets(vetting),
        tier: tier(vetting.model.tier(), analysis),
        code,
        constants: analysis.figures.constants.clone(),
        toolchain: analysis.toolchain.clone(),
        tests: measured.report.clone(),
        limits: limits(vetting),
        findings: Vec::new(),
    };
    let mut findings = Vec::new();
    usability(&report, &mut findings);
    consistency(&report, measured, &mut findings);
    compliance(&report, &mut findings);
    security(&report, analysis, measured, &mut findings);
    report.findings = findings;
    report
}

fn inputs(vetting: &Vetting<'_>, uses: &[Uses]) -> Vec<InputReport> {
    let none = Uses::default();
    let inputs = vetting.admitted.signature().inputs.iter().enumerate();
    inputs
        .map(|(position, input)| {
            let uses = uses.get(position).unwrap_or(&none);
            let all = || uses.equalities.union(&uses.orderings);
            let mut examples: Vec<&Constant> = all().collect();
            examples.sort_by(|a, b| b.magnitude().total_cmp(&a.magnitude()));
            let large = |constant: &&Constant| constant.magnitude() >= look::LARGE as f64;
            InputReport {
                column: input.column.clone(),
                ty: typed(&input.ty, input.optional),
                roles: roles(vetting, &input.column),
                equalities: uses.equalities.len() as u64,
                orderings: uses.orderings.len() as u64,
                large: all().filter(large).count() as u64,
                examples: examples
                    .iter()
                    .take(EXAMPLES_MAX)
                    .map(ToString::to_string)
                    .collect(),
                branches: uses.branches,
                looked_up: uses.looked_up,
                memory_comparisons: uses.memory_comparisons.len() as u64,
            }
        })
        .collect()
}

fn typed(ty: &crate::signature::ValueType, optional: bool) -> String {
    match optional {
        true => format!("option<{ty}>"),
        false => ty.to_string(),
    }
}

fn roles(vetting: &Vetting<'_>, column: &str) -> Vec<String> {
    let datasets = vetting.datasets.iter();
    datasets
        .filter_map(|dataset| {
            let mut columns = dataset.columns.iter();
            let (_, role) = columns.find(|(field, _)| field.name() == column)?;
            Some(format!("{}: {role}", dataset.name))
        })
        .collect()
}

fn outputs(vetting: &Vetting<'_>, measured: &Measured) -> Vec<OutputReport> {
    let outputs = vetting.admitted.signature().outputs.iter().enumerate();
    outputs
        .map(|(position, output)| {
            let figures = measured.outputs.get(position);
            OutputReport {
                column: output.column.clone(),
                ty: typed(&output.ty, output.optional),
                cases: output.ty.domain().map(|domain| domain.cases.len() as u64),
                distinct: figures.map_or(0, |figures| figures.distinct),
                nulls: figures.map_or(0, |figures| figures.nulls),
                echoes: figures.and_then(|figures| figures.echoes.clone()),
            }
        })
        .collect()
}

fn datasets(vetting: &Vetting<'_>) -> Vec<DatasetReport> {
    let datasets = vetting.datasets.iter();
    datasets
        .map(|dataset| DatasetReport {
            name: dataset.name.clone(),
            obstacle: vetting
                .model
                .bind(&dataset.schema())
                .err()
                .map(|error| error.to_string()),
        })
        .collect()
}

fn tier(tier: Tier, analysis: &Analysis) -> TierReport {
    let effects = &analysis.effects;
    let because = [
        (effects.stores > 0 || effects.bulk, "it writes memory"),
        (effects.size, "it may grow memory"),
        (!effects.globals.is_empty(), "it writes globals"),
        (
            effects.tables_or_segments,
            "it changes tables or drops segments",
        ),
    ];
    let mut because: Vec<String> = because
        .iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, reason)| (*reason).to_owned())
        .collect();
    if because.is_empty() {
        because.push("no instruction changes any state".to_owned());
    }
    TierReport {
        isolation: match tier.isolation {
            Isolation::Pure => "pure",
            Isolation::Restored => "restored",
            Isolation::Fresh => "fresh",
        }
        .to_owned(),
        because,
        row_cost_max: tier.row_cost_max,
    }
}

fn limits(vetting: &Vetting<'_>) -> BTreeMap<String, u64> {
    let vet = vetting.limits;
    let model = vetting.model.limits().named().into_iter();
    let vetting = [
        ("vet_rows_max", vet.rows_max as u64),
        ("vet_fuel", vet.fuel),
        ("vet_seconds", vet.seconds),
        ("vet_flow_operators_max", vet.flow_operators_max),
    ];
    model
        .chain(vetting)
        .map(|(name, limit)| (name.to_owned(), limit))
        .collect()
}

fn usability(report: &Report, findings: &mut Vec<Finding>) {
    let mut say = |severity, code, message: String| {
        findings.push(Finding::new(Aspect::Usability, severity, code, message));
    };
    let fits: Vec<&str> = report
        .datasets
        .iter()
        .filter(|dataset| dataset.obstacle.is_none())
        .map(|dataset| dataset.name.as_str())
        .collect();
    if !fits.is_empty() {
        say(
            Severity::Ok,
            "VET_DATASETS",
            format!("it runs over {}", fits.join(", ")),
        );
    } else if report.datasets.is_empty() {
        say(
            Severity::Ok,
            "VET_NO_DATASETS",
            "no datasets were given to compare its columns with".to_owned(),
        );
    } else {
        let message = "it fits none of the domain's datasets; each says below why".to_owned();
        say(Severity::Look, "VET_FITS_NO_DATASET", message);
    }
    let tests = &report.tests;
    if tests.rows > 0 && tests.failed_rows == tests.rows {
        let message =
            "every synthetic row failed: `weir model check` tells its author why".to_owned();
        say(Severity::Look, "VET_ALWAYS_FAILS", message);
    }
    for output in &report.outputs {
        if tests.rows > tests.failed_rows && output.distinct <= 1 {
            let message = format!(
                "`{}` never differs on {} synthetic rows",
                output.column, tests.rows
            );
            say(Severity::Look, "VET_CONSTANT_OUTPUT", message);
        }
    }
    if report.tier.isolation == "fresh" {
        let message = "each row takes a fresh instance, some microseconds".to_owned();
        say(Severity::Look, "VET_SLOW_TIER", message);
    }
}

fn consistency(report: &Report, measured: &Measured, findings: &mut Vec<Finding>) {
    let mut say = |severity, code, message: String| {
        findings.push(Finding::new(Aspect::Consistency, severity, code, message));
    };
    for fault in &measured.faults {
        say(
            Severity::Refuse,
            "VET_RUNTIME_DISAGREES",
            (*fault).to_owned(),
        );
    }
    let missed: Vec<&str> = report
        .tests
        .tests
        .iter()
        .filter(|test| test.passed.is_none())
        .map(|test| test.name.as_str())
        .collect();
    if !missed.is_empty() {
        let message = format!("time ran out before: {}", missed.join(", "));
        say(Severity::Look, "VET_TESTS_CUT_SHORT", message);
    }
    if measured.faults.is_empty() && missed.is_empty() {
        let message = format!(
            "{} synthetic rows, {} tests: every answer the same to the bit, however rows were put together",
            report.tests.rows,
            report.tests.tests.len()
        );
        let passed = measured.leaks.is_empty();
        if passed {
            say(Severity::Ok, "VET_SAME_ANSWERS", message);
        }
    }
}

fn compliance(report: &Report, findings: &mut Vec<Finding>) {
    let mut say = |severity, code, message: String| {
        findings.push(Finding::new(Aspect::Compliance, severity, code, message));
    };
    for output in &report.outputs {
        if let Some(input) = &output.echoes {
            let message = format!(
                "`{}` repeats `{input}` unchanged: a raw value becomes a key or a sum",
                output.column
            );
            say(Severity::Look, "VET_ECHO", message);
        }
        if output.cases.is_none() && output.ty.contains("string") {
            let message = format!(
                "`{}` is open text: an `enum` says beforehand what it can be",
                output.column
            );
            say(Severity::Look, "VET_OPEN_TEXT", message);
        }
    }
    for input in &report.inputs {
        let told = |role: &&String| role.contains("identifier") || role.contains("sensitive");
        let roles: Vec<&str> = input
            .roles
            .iter()
            .filter(told)
            .map(String::as_str)
            .collect();
        if !roles.is_empty() {
            let message = format!("it reads `{}` ({})", input.column, roles.join(", "));
            say(Severity::Ok, "VET_READS_PROTECTED", message);
        }
    }
    if report.toolchain.is_empty() {
        say(
            Severity::Ok,
            "VET_TOOLCHAIN_UNKNOWN",
            "it does not say what it was built with".to_owned(),
        );
    }
}

fn security(
    report: &Report,
    analysis: &Analysis,
    measured: &Measured,
    findings: &mut Vec<Finding>,
) {
    let mut say = |severity, code, message: String| {
        findings.push(Finding::new(Aspect::Security, severity, code, message));
    };
    for leak in &measured.leaks {
        let message = format!(
            "an answer depends on other rows: `{}` of synthetic row {} changed in the test \"{}\"",
            leak.column, leak.row, leak.test
        );
        say(Severity::Refuse, "VET_LEAK", message);
    }
    for input in &report.inputs {
        judge_input(report, input, &mut say);
    }
    judge_constants(report, &mut say);
    if !analysis.complete {
        let message =
            "the code is too large or too oddly made to follow its inputs to the end".to_owned();
        say(Severity::Look, "VET_FLOW_INCOMPLETE", message);
    }
    if findings
        .iter()
        .all(|finding| finding.aspect != Aspect::Security)
    {
        findings.push(Finding::new(
            Aspect::Security,
            Severity::Ok,
            "VET_NO_TARGETS_SEEN",
            "no list of targets was seen, in constants or in comparisons",
        ));
    }
}

fn judge_input(
    report: &Report,
    input: &InputReport,
    say: &mut impl FnMut(Severity, &'static str, String),
) {
    let column = &input.column;
    let examples = || input.examples.join(", ");
    if input.equalities as usize >= look::EQUALITIES {
        let message = format!(
            "`{column}` is compared for equality with {} constants, such as {}",
            input.equalities,
            examples()
        );
        say(Severity::Look, "VET_EQUALITIES", message);
    }
    if input.large as usize >= look::LARGE_COMPARISONS {
        let message = format!(
            "`{column}` is compared with {} large constants, such as {}",
            input.large,
            examples()
        );
        say(Severity::Look, "VET_LARGE_CONSTANTS", message);
    }
    if input.branches as usize >= look::BRANCHES {
        let message = format!("`{column}` chooses among {} branches", input.branches);
        say(Severity::Look, "VET_BRANCH_TABLE", message);
    }
    let data = report.constants.data_bytes;
    if input.looked_up && data >= look::LOOKUP_BYTES {
        let message = format!("`{column}` chooses what is read from {data} bytes of constant data");
        say(Severity::Look, "VET_LOOKED_UP", message);
    }
    if input.memory_comparisons > 0 && data > 0 {
        let message = format!(
            "`{column}` is compared with what memory holds at {} places; {data} bytes of it are constant data",
            input.memory_comparisons
        );
        say(Severity::Look, "VET_COMPARED_WITH_DATA", message);
    }
}

fn judge_constants(report: &Report, say: &mut impl FnMut(Severity, &'static str, String)) {
    let constants = &report.constants;
    if constants.random_bytes >= look::ENTROPY_BYTES {
        let message = format!(
            "{} bytes of constant data look random (up to {} bits a byte): keys, hashes or packed lists do",
            constants.random_bytes, constants.window_entropy_bits_max
        );
        say(Severity::Look, "VET_DATA_ENTROPY", message);
    }
    if constants.data_bytes >= look::DATA_BYTES {
        let message = format!("it carries {} bytes of constant data", constants.data_bytes);
        say(Severity::Look, "VET_DATA_SIZE", message);
    }
    if constants.wide_integers as usize >= look::WIDE_CONSTANTS {
        let message = format!(
            "its code holds {} whole constants of more than 32 bits",
            constants.wide_integers
        );
        say(Severity::Look, "VET_WIDE_CONSTANTS", message);
    }
}
