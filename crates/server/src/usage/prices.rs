//! What usage costs, and who gets it. Whole numbers of the currency's smallest unit throughout.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::month::Month;

/// Most price lists, and most parties of one.
const LISTS_MAX: usize = 120;

/// Largest price and largest part: products of it with any quantity fit into 128 bits.
const PRICE_MAX: u64 = 1_000_000_000_000;

/// The party that stands for whoever provides a dataset.
pub(super) const PROVIDER: &str = "provider";

/// Settings of usage reports.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct UsageConfig {
    /// The currency's smallest unit, for people: prices and amounts are whole numbers of it.
    pub currency: String,
    /// By the month they hold from; the first earliest.
    pub price_lists: Vec<PriceList>,
}

/// As `domain.toml` has it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    currency: String,
    #[serde(rename = "prices", skip_serializing_if = "Vec::is_empty")]
    price_lists: Vec<PriceList>,
}

/// Prices from a month on, until the next list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    /// The first month it holds for, as in `2026-11`.
    pub from: String,
    /// What things cost.
    #[serde(flatten)]
    pub prices: Prices,
    /// Parts of what an operator is charged, by party. `provider` is whoever provides the dataset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<String, u64>,
}

/// What things cost. What is not named costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Prices {
    /// A run, for each dataset it reads.
    pub run: u64,
    /// A release, for each dataset it rests on.
    pub release: u64,
    /// A released cell, for each dataset it rests on.
    pub cell: u64,
    /// A million rows.
    pub million_rows: u64,
    /// A gigabyte (1,000,000,000 bytes).
    pub gigabyte: u64,
    /// A billion instructions of models.
    pub billion_instructions: u64,
    /// A million rows stored for a day.
    pub million_row_days: u64,
}

/// What is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Quantities {
    pub(super) runs: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Millions of instructions.
    pub(super) fuel: u64,
    pub(super) cells: u64,
    pub(super) releases: u64,
    /// Rows times days stored.
    pub(super) row_days: u64,
}

impl Prices {
    /// What these quantities cost. Each kind is rounded down by itself: what is less than a unit is not charged.
    pub(super) fn of(&self, used: &Quantities) -> u64 {
        let items = [
            (self.run, used.runs, 1),
            (self.release, used.releases, 1),
            (self.cell, used.cells, 1),
            (self.million_rows, used.rows, 1_000_000),
            (self.gigabyte, used.bytes, 1_000_000_000),
            (self.billion_instructions, used.fuel, 1_000),
            (self.million_row_days, used.row_days, 1_000_000),
        ];
        items
            .into_iter()
            .map(|(price, quantity, per)| {
                let amount = u128::from(price) * u128::from(quantity) / per;
                u64::try_from(amount).unwrap_or(u64::MAX)
            })
            .fold(0, u64::saturating_add)
    }
}

impl PriceList {
    /// An amount by party. The parts add up to it exactly: what rounding leaves goes, one unit each, to those who lost most
    /// by it, and among equals by name. Where nobody provides the dataset, the others share what would be the provider's.
    pub(super) fn shared(&self, amount: u64, provider: &str) -> BTreeMap<String, u64> {
        let mut parts: BTreeMap<&str, u128> = BTreeMap::new();
        for (party, part) in &self.shares {
            let party = match party.as_str() {
                PROVIDER => provider,
                party => party,
            };
            if !party.is_empty() && *part > 0 {
                *parts.entry(party).or_default() += u128::from(*part);
            }
        }
        let whole: u128 = parts.values().sum();
        if whole == 0 {
            return BTreeMap::new();
        }
        let mut shares: Vec<_> = parts
            .into_iter()
            .map(|(party, part)| {
                let exact = u128::from(amount) * part;
                (party, exact / whole, exact % whole)
            })
            .collect();
        let given: u128 = shares.iter().map(|(_, share, _)| share).sum();
        let left = usize::try_from(u128::from(amount) - given).unwrap_or(0);
        shares.sort_by(|one, other| other.2.cmp(&one.2).then(one.0.cmp(other.0)));
        for (_, share, _) in shares.iter_mut().take(left) {
            *share += 1;
        }
        shares
            .into_iter()
            .map(|(party, share, _)| (party.to_owned(), u64::try_from(share).unwrap_or(u64::MAX)))
            .collect()
    }
}

impl UsageConfig {
    /// The list that holds in a month.
    pub(super) fn in_month(&self, month: &str) -> Option<&PriceList> {
        let mut lists = self.price_lists.iter();
        lists.rfind(|list| list.from.as_str() <= month)
    }
}

impl TryFrom<Written> for UsageConfig {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written {
            currency,
            price_lists,
        } = written;
        if price_lists.len() > LISTS_MAX {
            return Err(format!("there are more than {LISTS_MAX} price lists"));
        }
        let mut before: Option<&str> = None;
        for list in &price_lists {
            let from = &list.from;
            if Month::parse(from).is_none() {
                return Err(format!("`{from}` is no month: write it as in `2026-11`"));
            }
            if before.is_some_and(|before| before >= from.as_str()) {
                return Err(format!(
                    "the prices from `{from}` do not come after those before them"
                ));
            }
            before = Some(from);
            list.check()?;
        }
        Ok(Self {
            currency,
            price_lists,
        })
    }
}

impl PriceList {
    fn check(&self) -> Result<(), String> {
        let Prices {
            run,
            release,
            cell,
            million_rows,
            gigabyte,
            billion_instructions,
            million_row_days,
        } = self.prices;
        let prices = [
            run,
            release,
            cell,
            million_rows,
            gigabyte,
            billion_instructions,
            million_row_days,
        ];
        let parts = self.shares.values().copied();
        if prices.into_iter().chain(parts).any(|one| one > PRICE_MAX) {
            return Err(format!(
                "a price or a part in the list from `{}` is larger than {PRICE_MAX}",
                self.from
            ));
        }
        if self.shares.len() > LISTS_MAX || self.shares.keys().any(|party| party.trim().is_empty())
        {
            return Err(format!(
                "the shares from `{}` name too many parties, or one without a name",
                self.from
            ));
        }
        Ok(())
    }
}

impl From<UsageConfig> for Written {
    fn from(config: UsageConfig) -> Self {
        Self {
            currency: config.currency,
            price_lists: config.price_lists,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = r#"
currency = "fen"
[[prices]]
from = "2026-01"
run = 100
million_rows = 3
shares = { provider = 2, "Data Bureau" = 1 }
[[prices]]
from = "2026-03"
cell = 7
"#;

    #[test]
    fn the_list_of_a_month_is_the_newest_that_has_begun() {
        let config: UsageConfig = toml::from_str(TEXT).unwrap();
        let from = |month| config.in_month(month).map(|list| list.from.as_str());
        assert_eq!(
            ["2025-12", "2026-01", "2026-02", "2026-03", "2027-01"].map(from),
            [
                None,
                Some("2026-01"),
                Some("2026-01"),
                Some("2026-03"),
                Some("2026-03")
            ]
        );
        let written = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<UsageConfig>(&written).unwrap(), config);
    }

    #[test]
    fn what_is_no_price_list_is_refused() {
        for (right, wrong) in [
            ("2026-03", "2026-3"),
            ("2026-03", "2026-01"),
            ("cell = 7", "cell = -7"),
            ("cell = 7", "cell = 1.5"),
            ("cell = 7", "cells = 7"),
            ("cell = 7", "cell = 1000000000001"),
            ("provider = 2", "\" \" = 2"),
        ] {
            let text = TEXT.replace(right, wrong);
            assert!(toml::from_str::<UsageConfig>(&text).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_kind_is_rounded_down_by_itself() {
        let config: UsageConfig = toml::from_str(TEXT).unwrap();
        let used = Quantities {
            runs: 2,
            rows: 1_999_999,
            cells: 9,
            ..Quantities::default()
        };
        assert_eq!(config.in_month("2026-01").unwrap().prices.of(&used), 205);
        assert_eq!(config.in_month("2026-03").unwrap().prices.of(&used), 63);
    }

    #[test]
    fn what_nobody_provides_is_shared_by_the_others() {
        let config: UsageConfig = toml::from_str(TEXT).unwrap();
        let list = config.in_month("2026-01").unwrap();
        let told = |provider| format!("{:?}", list.shared(100, provider));
        assert_eq!(told("P"), r#"{"Data Bureau": 33, "P": 67}"#);
        assert_eq!(told(""), r#"{"Data Bureau": 100}"#);
        assert_eq!(told("Data Bureau"), r#"{"Data Bureau": 100}"#);
    }

    proptest! {
        #[test]
        fn shares_add_up_exactly_and_nobody_is_off_by_one(
            amount in 0..u64::MAX,
            parts in prop::collection::btree_map("[a-e]", 0..=PRICE_MAX, 0..5),
        ) {
            let list = PriceList { from: "2026-01".to_owned(), prices: Prices::default(), shares: parts.clone() };
            let shares = list.shared(amount, "p");
            let whole: u128 = parts.values().map(|part| u128::from(*part)).sum();
            if whole == 0 {
                prop_assert!(shares.is_empty());
            } else {
                prop_assert_eq!(shares.values().map(|share| u128::from(*share)).sum::<u128>(), u128::from(amount));
                for (party, share) in shares {
                    let exact = u128::from(amount) * u128::from(parts[&party]);
                    prop_assert!((u128::from(share) * whole).abs_diff(exact) < whole);
                }
            }
        }
    }
}
