//! Rows, queries and limits, and random ones of each.

use proptest::prelude::*;
use weir_policy::Policy;

/// Most keys of a random query.
pub(super) const KEYS: usize = 3;

/// One row of raw data.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(super) keys: [Option<i64>; KEYS],
    /// The units the row is about, one of each kind; none where the row names none.
    pub(super) units: [Option<u32>; 2],
    /// Summed, averaged, and fitted.
    pub(super) amount: Option<i32>,
    pub(super) other: Option<i32>,
    /// Counted.
    pub(super) note: Option<bool>,
    /// Sensitive.
    pub(super) secret: u8,
}

/// A statistic over the rows of a cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stat {
    CountRows,
    CountNotes,
    CountUnits(usize),
    /// The sum of amounts, as whole numbers, decimals of two places, or floats of tenths.
    SumWhole,
    SumDecimal,
    SumTenths,
    /// A number that is not the sum of those of its parts.
    Other,
}

impl Stat {
    pub(super) fn is_additive(self) -> bool {
        !matches!(self, Stat::CountUnits(_) | Stat::Other)
    }
}

/// What is declared of a key's values.
#[derive(Clone, Debug)]
pub(crate) enum Domain {
    Open,
    Bounded,
    Closed(Vec<Option<i64>>),
}

#[derive(Clone, Debug)]
pub(crate) struct KeyOf {
    pub(super) domain: Domain,
    pub(super) fixed: bool,
    pub(super) public: bool,
}

/// What a query asks.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(super) keys: Vec<KeyOf>,
    pub(super) sets: Vec<Vec<bool>>,
    pub(super) stats: Vec<Stat>,
    pub(super) structural: Vec<Vec<usize>>,
    /// Quantiles of the amount, if any.
    pub(super) quantiles: Option<u64>,
    /// Parameters of a model of the other number by the amount, if any.
    pub(super) parameters: Option<u64>,
    /// One kind of unit, or two.
    pub(super) kinds: usize,
}

/// What a policy file says, in parts per 10,000 where it is a fraction.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(super) units_min: usize,
    pub(super) rows_min: usize,
    pub(super) complement_units_min: usize,
    pub(super) class_disclosure: bool,
    pub(super) sensitive_values_min: usize,
    pub(super) share_max: [Option<i128>; 3],
    pub(super) ratio_min: i128,
    pub(super) zeros_are_disclosive: bool,
    pub(super) residual_dof_min: usize,
    pub(super) parameters_share_max: usize,
    pub(super) quantile_units_min: usize,
    pub(super) negatives_are_reviewed: bool,
    pub(super) count_base: i64,
    pub(super) significant_digits: usize,
    pub(super) cells_max: usize,
    pub(super) levels_max: usize,
}

impl Limits {
    pub(crate) fn policy(&self) -> Policy {
        let fraction = |parts: i128| format!("{}.{:04}", parts / 10_000, parts % 10_000);
        let shares: String = self
            .share_max
            .iter()
            .zip(1..)
            .filter_map(|(share, n)| Some(format!("top{n}_share_max = {}\n", fraction((*share)?))))
            .collect();
        let text = format!(
            "name = \"x\"\n[cell]\nunits_min = {}\nrows_min = {}\ncomplement_units_min = {}\nclass_disclosure = {}\n\
             sensitive_values_min = {}\n[dominance]\n{shares}[p_ratio]\nratio_min = {}\nzeros_are_disclosive = {}\n[fit]\n\
             residual_dof_min = {}\nparameters_share_max = {}\n[quantile]\nunits_min = {}\n[review]\n\
             negative_contributions = {}\n[rounding]\ncount_base = {}\nsignificant_digits = {}\n[table]\ncells_max = {}\n\
             levels_max = {}\n",
            self.units_min,
            self.rows_min,
            self.complement_units_min,
            self.class_disclosure,
            self.sensitive_values_min,
            fraction(self.ratio_min),
            self.zeros_are_disclosive,
            self.residual_dof_min,
            fraction(self.parameters_share_max as i128),
            self.quantile_units_min,
            self.negatives_are_reviewed,
            self.count_base,
            self.significant_digits,
            self.cells_max,
            self.levels_max,
        );
        Policy::from_toml(&text, "random").unwrap()
    }
}

/// Round limits, which small whole numbers meet exactly, and any others.
pub(crate) fn limits() -> impl Strategy<Value = Limits> {
    let share = || {
        prop_oneof![
            proptest::sample::select(vec![7_500_i128, 8_000, 9_000, 9_500]),
            8_000..=9_500_i128
        ]
    };
    let ratio = prop_oneof![
        proptest::sample::select(vec![500_i128, 1_000, 2_500]),
        500..=1_500_i128
    ];
    let cells = (
        3..5_usize,
        3..6_usize,
        3..8_usize,
        proptest::bool::weighted(0.6),
        prop_oneof![3 => 1..3_usize, 1 => Just(3)],
    );
    let sums = (
        proptest::option::weighted(0.3, share()),
        share(),
        proptest::option::weighted(0.3, share()),
        ratio,
        any::<bool>(),
    );
    let models = (3..9_usize, 500..=5_000_usize, 3..6_usize);
    let rounding = (
        proptest::sample::select(vec![1_i64, 2, 5, 10]),
        proptest::sample::select(vec![1_usize, 2, 3, 4, 17]),
    );
    let table = (
        any::<bool>(),
        prop_oneof![3 => Just(50_usize), 1 => 1..6_usize],
        prop_oneof![3 => Just(40_usize), 1 => 1..3_usize],
    );
    (cells, sums, models, rounding, table).prop_map(|(cells, sums, models, rounding, table)| {
        Limits {
            units_min: cells.0,
            rows_min: cells.1,
            complement_units_min: cells.2,
            class_disclosure: cells.3,
            sensitive_values_min: cells.4,
            share_max: [sums.0, Some(sums.1), sums.2],
            ratio_min: sums.3,
            zeros_are_disclosive: sums.4,
            residual_dof_min: models.0,
            parameters_share_max: models.1,
            quantile_units_min: models.2,
            negatives_are_reviewed: table.0,
            count_base: rounding.0,
            significant_digits: rounding.1,
            cells_max: table.1,
            levels_max: table.2,
        }
    })
}

/// A query over one to three keys (or none), in one grouping set or several.
pub(super) fn query() -> impl Strategy<Value = Query> {
    (0..=KEYS, 1..=2_usize).prop_flat_map(|(keys, kinds)| {
        let set = proptest::collection::vec(any::<bool>(), keys);
        let sets = prop_oneof![
            3 => Just(vec![vec![true; keys]]),
            1 => Just(rollup(keys)),
            1 => Just(cube(keys)),
            1 => proptest::collection::vec(set, 1..4),
        ];
        let stat = proptest::sample::select(vec![
            Stat::CountRows,
            Stat::CountNotes,
            Stat::CountUnits(0),
            Stat::CountUnits(kinds - 1),
            Stat::SumWhole,
            Stat::SumDecimal,
            Stat::SumTenths,
            Stat::Other,
        ]);
        let combination = proptest::collection::vec(0..keys.max(1), 1..3);
        let structural = if keys == 0 {
            Just(vec![]).boxed()
        } else {
            prop_oneof![
                2 => Just(vec![]),
                1 => proptest::collection::vec(combination, 1..3)
            ]
            .boxed()
        };
        (
            proptest::collection::vec(key(), keys),
            sets,
            proptest::collection::vec(stat, 0..4),
            structural,
            proptest::option::weighted(0.2, 1..3_u64),
            proptest::option::weighted(0.2, 1..4_u64),
            Just(kinds),
        )
            .prop_map(
                |(keys, sets, stats, structural, quantiles, parameters, kinds)| {
                    let mut stats = stats;
                    if keys.is_empty() && stats.is_empty() {
                        stats.push(Stat::CountRows);
                    }
                    Query {
                        keys,
                        sets,
                        stats,
                        structural,
                        quantiles,
                        parameters,
                        kinds,
                    }
                },
            )
    })
}

fn rollup(keys: usize) -> Vec<Vec<bool>> {
    (0..=keys)
        .rev()
        .map(|kept| (0..keys).map(|key| key < kept).collect())
        .collect()
}

fn cube(keys: usize) -> Vec<Vec<bool>> {
    (0..1_usize << keys)
        .map(|set| (0..keys).map(|key| set >> key & 1 == 1).collect())
        .collect()
}

fn key() -> impl Strategy<Value = KeyOf> {
    let closed = prop_oneof![
        3 => Just(vec![None, Some(0), Some(1), Some(2)]),
        1 => Just(vec![Some(2), Some(0), Some(7), Some(0)]),
    ];
    let domain = prop_oneof![
        2 => Just(Domain::Open),
        1 => Just(Domain::Bounded),
        1 => closed.prop_map(Domain::Closed),
    ];
    (
        domain,
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.15),
    )
        .prop_map(|(domain, fixed, public)| KeyOf {
            domain,
            fixed,
            public,
        })
}

fn row() -> impl Strategy<Value = Row> {
    let value = || {
        prop_oneof![
            1 => Just(None),
            10 => Just(Some(0)),
            5 => Just(Some(1)),
            2 => Just(Some(2))
        ]
    };
    let number = || {
        prop_oneof![
            3 => Just(None),
            3 => Just(Some(0)),
            120 => (1..12_i32).prop_map(Some),
            1 => (-300..2_000_i32).prop_map(Some),
        ]
    };
    let unit = || prop_oneof![1 => Just(None), 60 => (0..40_u32).prop_map(Some)];
    (
        [value(), value(), value()],
        [unit(), unit()],
        [number(), number()],
        proptest::option::weighted(0.9, any::<bool>()),
        0..3_u8,
    )
        .prop_map(|(keys, units, [amount, other], note, secret)| Row {
            keys,
            units,
            amount,
            other,
            note,
            secret,
        })
}

/// Rows that suit a query: a key that it fixes has one value. Some are thinned out, so that cells are missing, and some
/// values of a key go with one value of the next alone.
pub(super) fn rows_for(query: &Query) -> impl Strategy<Value = Vec<Row>> + use<> {
    let fixed: Vec<usize> = (0..query.keys.len())
        .filter(|key| query.keys[*key].fixed)
        .collect();
    let pairs = || proptest::collection::vec((0..KEYS, 0..3_i64, 0..3_i64), 0..3);
    let rows = prop_oneof![
        1 => proptest::collection::vec(row(), 0..30),
        4 => proptest::collection::vec(row(), 30..130)
    ];
    (rows, pairs(), pairs()).prop_map(move |(mut rows, thinned, tied)| {
        rows.retain(|row| {
            thinned.iter().all(|(key, value, next)| {
                row.keys[*key] != Some(*value) || row.keys[(key + 1) % KEYS] != Some(*next)
            })
        });
        for row in &mut rows {
            for (key, value, next) in &tied {
                if row.keys[*key] == Some(*value) {
                    row.keys[(key + 1) % KEYS] = Some(*next);
                }
            }
            for key in &fixed {
                row.keys[*key] = Some(1);
            }
        }
        rows
    })
}

/// A query with rows that suit it.
pub(crate) fn world() -> impl Strategy<Value = (Query, Vec<Row>)> {
    query().prop_flat_map(|query| {
        let rows = rows_for(&query);
        (Just(query), rows)
    })
}
