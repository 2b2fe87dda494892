//! Ten questions as statistical offices ask them, and what one would write by hand to answer them safely.

use crate::plain::TABLE;

/// Fewest units of a cell, as in the default policy.
const UNITS_MIN: u64 = 10;
/// Share of a total that its two largest units have to stay below, as in the default policy.
const TOP_SHARE: f64 = 0.9;

/// One reporting query.
pub(crate) struct Reporting {
    pub(crate) name: &'static str,
    keys: &'static [&'static str],
    numbers: &'static [&'static str],
    condition: Option<&'static str>,
    /// What is added up, whose largest contributions are looked at by hand: one argument, though Weir looks at each.
    summed: &'static str,
    /// Whether SQLite has every function of it.
    pub(crate) is_portable: bool,
}

/// How a system finds the two largest of a group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `max(part, 2)`, which keeps two and sorts nothing.
    DuckDb,
    /// A window function.
    Standard,
}

/// From a cell to a thousand.
pub(crate) const REPORTING: [Reporting; 10] = [
    Reporting {
        name: "pricing summary",
        keys: &["l_returnflag", "l_linestatus"],
        numbers: &[
            "SUM(l_quantity)",
            "SUM(l_extendedprice)",
            "SUM(l_extendedprice * (1 - l_discount))",
            "AVG(l_quantity)",
            "AVG(l_discount)",
            "COUNT(*)",
        ],
        condition: Some("l_shipdate <= DATE '1998-09-02'"),
        summed: "l_quantity",
        is_portable: false,
    },
    Reporting {
        name: "revenue of discounts",
        keys: &[],
        numbers: &["SUM(l_extendedprice * l_discount)"],
        condition: Some("l_discount >= 0.05 AND l_discount <= 0.07 AND l_quantity < 24"),
        summed: "l_extendedprice * l_discount",
        is_portable: true,
    },
    Reporting {
        name: "mean price by ship mode",
        keys: &["l_shipmode"],
        numbers: &["COUNT(*)", "AVG(l_extendedprice)"],
        condition: None,
        summed: "l_extendedprice",
        is_portable: true,
    },
    Reporting {
        name: "quantity by flag and status",
        keys: &["l_returnflag", "l_linestatus"],
        numbers: &["SUM(l_quantity)", "AVG(l_extendedprice)", "COUNT(*)"],
        condition: None,
        summed: "l_quantity",
        is_portable: true,
    },
    Reporting {
        name: "revenue by month and ship mode",
        keys: &["date_trunc('month', l_shipdate)", "l_shipmode"],
        numbers: &["SUM(l_extendedprice)", "COUNT(*)"],
        condition: None,
        summed: "l_extendedprice",
        is_portable: false,
    },
    Reporting {
        name: "a thousand areas",
        keys: &["l_suppkey % 1000"],
        numbers: &["SUM(l_quantity)", "COUNT(*)"],
        condition: None,
        summed: "l_quantity",
        is_portable: true,
    },
    Reporting {
        name: "priority and ship mode",
        keys: &["l_orderpriority", "l_shipmode"],
        numbers: &["COUNT(*)", "SUM(l_extendedprice)"],
        condition: None,
        summed: "l_extendedprice",
        is_portable: true,
    },
    Reporting {
        name: "bands of quantity",
        keys: &[
            "CASE WHEN l_quantity < 10 THEN 'small' WHEN l_quantity < 30 THEN 'medium' ELSE 'large' END",
            "l_shipinstruct",
        ],
        numbers: &["COUNT(*)", "AVG(l_discount)"],
        condition: None,
        summed: "l_discount",
        is_portable: true,
    },
    Reporting {
        name: "share of returns by priority",
        keys: &["l_orderpriority"],
        numbers: &[
            "AVG(CASE WHEN l_returnflag = 'R' THEN 1.0 ELSE 0.0 END)",
            "COUNT(*)",
        ],
        condition: Some("l_shipmode <> 'AIR'"),
        summed: "CASE WHEN l_returnflag = 'R' THEN 1.0 ELSE 0.0 END",
        is_portable: true,
    },
    Reporting {
        name: "taxes by year and instruction",
        keys: &["date_trunc('year', l_shipdate)", "l_shipinstruct"],
        numbers: &["SUM(l_extendedprice * l_tax)", "AVG(l_tax)"],
        condition: None,
        summed: "l_extendedprice * l_tax",
        is_portable: false,
    },
];

impl Reporting {
    /// How many columns of the answer are keys.
    pub(crate) const fn keys(&self) -> usize {
        self.keys.len()
    }

    /// The question without any check; also what Weir is asked.
    pub(crate) fn plain(&self) -> String {
        let columns = self.named_keys().into_iter().chain(self.named_numbers());
        let columns: Vec<String> = columns.collect();
        format!(
            "SELECT {} FROM {TABLE}{}{}",
            columns.join(", "),
            self.condition_clause(),
            self.group_by()
        )
    }

    /// k-anonymity and dominance as a careful analyst would write them, with units as numbers in `weir_unit`.
    pub(crate) fn by_hand(&self, dialect: Dialect) -> String {
        let names = self.names();
        let per_unit: Vec<String> = self
            .named_keys()
            .into_iter()
            .chain([
                "weir_unit".to_owned(),
                format!("abs(SUM({})) AS part", self.summed),
            ])
            .collect();
        let unit_at = self.keys.len() + 1;
        let by_unit: Vec<String> = (1..=unit_at).map(|at| at.to_string()).collect();
        let group = match names.is_empty() {
            true => String::new(),
            false => format!(" GROUP BY {}", names.join(", ")),
        };
        let largest = match dialect {
            Dialect::DuckDb => format!(
                "largest AS (SELECT {}SUM(part) AS total, list_sum(max(part, 2)) AS top FROM per_unit{group})",
                listed(&names)
            ),
            Dialect::Standard => format!(
                "ranked AS (SELECT {}part, row_number() OVER ({}ORDER BY part DESC) AS place FROM per_unit), \
                 largest AS (SELECT {}SUM(part) AS total, SUM(CASE WHEN place <= 2 THEN part ELSE 0 END) AS top FROM ranked{group})",
                listed(&names),
                match names.is_empty() {
                    true => String::new(),
                    false => format!("PARTITION BY {} ", names.join(", ")),
                },
                listed(&names)
            ),
        };
        let cells: Vec<String> = self
            .named_keys()
            .into_iter()
            .chain(self.named_numbers())
            .collect();
        let shown: Vec<String> = names
            .iter()
            .map(|name| format!("cells.{name}"))
            .chain((0..self.numbers.len()).map(|at| format!("cells.n{at}")))
            .collect();
        let join = match names.is_empty() {
            true => "CROSS JOIN largest".to_owned(),
            false => format!("JOIN largest USING ({})", names.join(", ")),
        };
        let condition = self.condition_clause();
        format!(
            "WITH per_unit AS (SELECT {} FROM {TABLE}{condition} GROUP BY {}), {largest}, \
             cells AS (SELECT {} FROM {TABLE}{condition}{} HAVING COUNT(DISTINCT weir_unit) >= {UNITS_MIN}) \
             SELECT {} FROM cells {join} WHERE top < {TOP_SHARE} * total",
            per_unit.join(", "),
            by_unit.join(", "),
            cells.join(", "),
            self.group_by(),
            shown.join(", ")
        )
    }

    fn names(&self) -> Vec<String> {
        (0..self.keys.len()).map(|at| format!("k{at}")).collect()
    }

    fn named_keys(&self) -> Vec<String> {
        let keys = self.keys.iter().enumerate();
        keys.map(|(at, key)| format!("{key} AS k{at}")).collect()
    }

    fn named_numbers(&self) -> Vec<String> {
        let numbers = self.numbers.iter().enumerate();
        numbers
            .map(|(at, number)| format!("{number} AS n{at}"))
            .collect()
    }

    fn condition_clause(&self) -> String {
        let condition = self.condition.map(|of| format!(" WHERE {of}"));
        condition.unwrap_or_default()
    }

    fn group_by(&self) -> String {
        let places: Vec<String> = (1..=self.keys.len()).map(|at| at.to_string()).collect();
        match places.is_empty() {
            true => String::new(),
            false => format!(" GROUP BY {}", places.join(", ")),
        }
    }
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("{name}, ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_has_no_keys_to_group_or_join_by() {
        let total = &REPORTING[1];
        assert!(!total.plain().contains("GROUP BY"), "{}", total.plain());
        assert!(
            total
                .by_hand(Dialect::DuckDb)
                .contains("CROSS JOIN largest")
        );
    }

    #[test]
    fn by_hand_has_the_threshold_and_the_two_largest() {
        for query in &REPORTING {
            for dialect in [Dialect::DuckDb, Dialect::Standard] {
                let sql = query.by_hand(dialect);
                assert!(
                    sql.contains("HAVING COUNT(DISTINCT weir_unit) >= 10"),
                    "{sql}"
                );
                assert!(sql.ends_with("WHERE top < 0.9 * total"), "{sql}");
            }
        }
    }
}
