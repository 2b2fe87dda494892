//! The report as a page of text.

use std::fmt;

use super::finding::{Aspect, Severity};
use super::report::{InputReport, Report};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (look, refuse) = (self.count(Severity::Look), self.count(Severity::Refuse));
        writeln!(
            f,
            "verdict    {} ({look} to look at, {refuse} that refuse)",
            self.verdict().as_str()
        )?;
        writeln!(f, "runs       sha256:{}", self.digest)?;
        if self.submitted_digest != self.digest {
            writeln!(
                f,
                "submitted  sha256:{} (packaged here)",
                self.submitted_digest
            )?;
        }
        for aspect in Aspect::ALL {
            writeln!(f, "\n{}", aspect.as_str())?;
            for finding in self
                .findings
                .iter()
                .filter(|finding| finding.aspect == aspect)
            {
                writeln!(
                    f,
                    "  {:<7}{} [{}]",
                    finding.severity.as_str(),
                    finding.message,
                    finding.code
                )?;
            }
        }
        self.write_columns(f)?;
        self.write_figures(f)?;
        self.write_tests(f)
    }
}

impl Report {
    fn write_columns(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nreads")?;
        for input in &self.inputs {
            let roles = match input.roles.is_empty() {
                true => String::new(),
                false => format!("  ({})", input.roles.join("; ")),
            };
            writeln!(f, "  {}: {}{roles}{}", input.column, input.ty, uses(input))?;
        }
        writeln!(f, "returns")?;
        for output in &self.outputs {
            let domain = match output.cases {
                Some(cases) => format!("closed, {cases} values"),
                None => "open".to_owned(),
            };
            writeln!(
                f,
                "  {}: {}  ({domain}; {} distinct, {} null on synthetic rows)",
                output.column, output.ty, output.distinct, output.nulls
            )?;
        }
        if !self.datasets.is_empty() {
            writeln!(f, "datasets")?;
        }
        for dataset in &self.datasets {
            let fits = dataset.obstacle.as_deref().unwrap_or("fits");
            writeln!(f, "  {}: {fits}", dataset.name)?;
        }
        Ok(())
    }

    fn write_figures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, constants) = (&self.code, &self.constants);
        let cost = match self.tier.row_cost_max {
            Some(cost) => format!("at most {cost} instructions a row"),
            None => "metered".to_owned(),
        };
        writeln!(
            f,
            "\ntier       {}, {cost}: {}",
            self.tier.isolation,
            self.tier.because.join(", ")
        )?;
        writeln!(
            f,
            "code       {} bytes; {} functions, {} instructions ({} loads, {} stores, {} loops, {} indirect calls)",
            code.component_bytes,
            code.functions,
            code.instructions,
            code.loads,
            code.stores,
            code.loops,
            code.indirect_calls
        )?;
        writeln!(
            f,
            "constants  {} bytes of data at {:.2} bits a byte; in code {} large whole numbers, {} fractions, branch tables up to {}",
            constants.data_bytes,
            constants.data_entropy_bits,
            constants.large_integers,
            constants.floats,
            constants.branches_max
        )?;
        writeln!(
            f,
            "           together they could hold {} identifiers of 32 bits at most",
            constants.identifiers_at_most
        )?;
        for excerpt in &constants.excerpts {
            writeln!(f, "           text \"{excerpt}\"")?;
        }
        writeln!(
            f,
            "memory     {} pages of 64 KiB at the start, {} at most on synthetic rows",
            code.memory_pages, self.tests.memory_pages_max
        )?;
        writeln!(
            f,
            "a row      {} units of fuel on average, {} at most, {} allowed",
            self.tests.fuel_mean,
            self.tests.fuel_max,
            self.limits.get("row_fuel").copied().unwrap_or_default()
        )?;
        match self.toolchain.is_empty() {
            true => writeln!(f, "made with  it does not say"),
            false => writeln!(f, "made with  {}", self.toolchain.join("; ")),
        }
    }

    fn write_tests(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let declared = match self.tests.declared_by.as_slice() {
            [] => String::new(),
            datasets => format!(
                " (half of their values as declared by {})",
                datasets.join(", ")
            ),
        };
        writeln!(
            f,
            "\ntests on {} synthetic rows{declared}, {} of which fail",
            self.tests.rows, self.tests.failed_rows
        )?;
        for test in &self.tests.tests {
            let passed = match test.passed {
                Some(true) => "same answers",
                Some(false) => "OTHER ANSWERS",
                None => "not made",
            };
            writeln!(f, "  {passed:<14}{} ({} rows)", test.name, test.rows)?;
        }
        Ok(())
    }
}

/// What the code does with an input, where that is something.
fn uses(input: &InputReport) -> String {
    let mut uses = Vec::new();
    if input.equalities + input.orderings > 0 {
        uses.push(format!(
            "compared with {} constants ({} for equality, {} large)",
            input.equalities + input.orderings,
            input.equalities,
            input.large
        ));
    }
    if input.branches > 0 {
        uses.push(format!("chooses among {} branches", input.branches));
    }
    if input.looked_up {
        uses.push("chooses what is read from memory".to_owned());
    }
    if input.memory_comparisons > 0 {
        uses.push(format!(
            "compared with memory at {} places",
            input.memory_comparisons
        ));
    }
    match uses.is_empty() {
        true => String::new(),
        false => format!("  {}", uses.join(", ")),
    }
}
