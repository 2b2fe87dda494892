//! What the evidence of a group is made of, the same for rows in any order.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, UInt32Array, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Float64Type, UInt32Type, UInt64Type};
use datafusion::common::{Result, internal_err};
use weir_gate::TOP_UNITS;

use super::kept::{FirstUnits, Values};
use super::presence::Keeps;
use super::prints::Prints;
use super::sets::Sets;
use super::several::{Columns, NAMES};

/// What is computed of each group: the cell itself, then each counted argument, each summed one, and each one whose
/// distinct values are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Layout {
    /// Arguments whose values are counted.
    pub(crate) counts: usize,
    /// Arguments whose values are summed.
    pub(crate) sums: usize,
    /// Arguments whose distinct values are counted.
    pub(crate) values: usize,
    /// Which of the counted and of the summed arguments have their own first units kept, a bit for each.
    pub(crate) named: (u64, u64),
    /// Whether cells are to be compared with earlier ones. Where not, there are no sets and no prints, and rows of a unit are
    /// not told apart.
    pub(crate) history: bool,
    /// Which of them have the set of their units kept, likewise. The cell has, too.
    pub(crate) with_set: (u64, u64),
    /// Which of them have a print, likewise. The cell has, too, of the rows of each unit.
    pub(crate) with_print: (u64, u64),
    /// How many buckets a print has, a power of two.
    pub(crate) buckets: usize,
    /// Sets of fewer units than this are not handed over at the end.
    pub(crate) set_units_min: u64,
    /// How many of a group's first units are kept.
    pub(crate) units_kept: usize,
    /// How far distinct values are counted.
    pub(crate) values_kept: usize,
    /// What is known of the rows of a unit.
    pub(crate) rows: RowsOf,
}

/// What is known of the rows of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RowsOf {
    /// There is one of each.
    One,
    /// Each has a number among them, which comes behind the unit; they are told apart where there are so many groups at most.
    Numbered { groups_max: usize },
}

impl Layout {
    /// How many columns the arguments are, the unit among them.
    pub(super) const fn columns(self) -> usize {
        self.before_arguments() + self.counts + self.sums + self.values
    }

    /// How many columns come before the arguments: the unit, and the row's number.
    const fn before_arguments(self) -> usize {
        1 + self.has_numbers() as usize
    }

    /// Whether rows have numbers.
    pub(super) const fn has_numbers(self) -> bool {
        matches!(self.rows, RowsOf::Numbered { .. })
    }

    /// Whether rows are told apart of so many groups.
    pub(super) const fn tells_rows(self, groups: usize) -> bool {
        match self.rows {
            RowsOf::One => true,
            RowsOf::Numbered { groups_max } => groups <= groups_max,
        }
    }

    /// How many arguments have their own first units kept.
    pub(crate) const fn names(self) -> usize {
        (self.named.0.count_ones() + self.named.1.count_ones()) as usize
    }

    /// For each counted argument, and for each summed one, where its first units are kept, if they are.
    pub(crate) fn named(self) -> Places {
        self.places(self.named, 0)
    }

    /// Likewise where the set of its units is; at 0 is that of the cell.
    pub(crate) fn sets(self) -> Places {
        self.places(self.with_set, 1)
    }

    /// Likewise where its print is; at 0 is that of the cell.
    pub(crate) fn prints(self) -> Places {
        self.places(self.with_print, 1)
    }

    /// What is kept of the units of a cell.
    pub(super) const fn of_cells(self) -> Keeps {
        Keeps {
            first_units: Some(self.units_kept),
            set: self.history,
            rows: self.history,
            print: match self.history {
                true => Some(self.buckets),
                false => None,
            },
        }
    }

    /// Of those with a value in a counted argument.
    pub(super) fn of_counted(self, at: usize) -> Keeps {
        Keeps {
            first_units: is_in(self.named.0, at).then_some(self.units_kept),
            set: is_in(self.with_set.0, at),
            rows: is_in(self.with_set.0, at),
            print: is_in(self.with_print.0, at).then_some(self.buckets),
        }
    }

    /// Of those with a value in a summed argument, whose print is of contributions.
    pub(super) fn of_summed(self, at: usize) -> Keeps {
        Keeps {
            first_units: is_in(self.named.1, at).then_some(self.units_kept),
            set: is_in(self.with_set.1, at),
            rows: is_in(self.with_set.1, at),
            print: None,
        }
    }

    /// How many buckets the print of the contributions to a summed argument has, where there is one.
    pub(super) fn print_of_summed(self, at: usize) -> Option<usize> {
        is_in(self.with_print.1, at).then_some(self.buckets)
    }

    fn places(self, which: (u64, u64), from: usize) -> Places {
        let mut next = from;
        let mut of = |set: u64, arguments: usize| {
            (0..arguments)
                .map(|at| {
                    let is_in = is_in(set, at);
                    next += usize::from(is_in);
                    is_in.then(|| next - 1)
                })
                .collect()
        };
        Places {
            counts: of(which.0, self.counts),
            sums: of(which.1, self.sums),
        }
    }

    /// How many sets a group has.
    pub(crate) const fn sets_kept(self) -> usize {
        self.history as usize
            + (self.with_set.0.count_ones() + self.with_set.1.count_ones()) as usize
    }

    /// How many prints a group has.
    pub(crate) const fn prints_kept(self) -> usize {
        self.history as usize
            + (self.with_print.0.count_ones() + self.with_print.1.count_ones()) as usize
    }

    /// Bytes that are kept of the units and values of one group, without the sets.
    pub(super) const fn kept_bytes(self) -> usize {
        (1 + self.names()) * self.units_kept * size_of::<u32>()
            + self.prints_kept() * self.buckets * size_of::<u32>()
            + self.values * self.values_kept * size_of::<u64>()
    }

    /// Names and types of what a group ends in.
    pub(crate) fn fields(self) -> Fields {
        let count = |name: String| Field::new(name, DataType::UInt64, false);
        let float = |name: String| Field::new(name, DataType::Float64, false);
        let mut fields = vec![
            count("rows".to_owned()),
            count("units".to_owned()),
            Field::new("first_units", FirstUnits::data_type(), false),
        ];
        for index in 0..self.counts {
            fields.extend(["rows", "units"].map(|what| count(format!("count_{index}_{what}"))));
        }
        for index in 0..self.sums {
            fields.extend(["rows", "units"].map(|what| count(format!("sum_{index}_{what}"))));
            fields.push(float(format!("sum_{index}_sum")));
            fields.push(float(format!("sum_{index}_total")));
            fields.extend((0..TOP_UNITS).map(|rank| float(format!("sum_{index}_top_{rank}"))));
            fields.push(Field::new(
                format!("sum_{index}_negative"),
                DataType::Boolean,
                false,
            ));
        }
        fields.extend(
            (0..self.names())
                .map(|index| Field::new(format!("named_{index}"), FirstUnits::data_type(), false)),
        );
        // Null where an argument has a value in every row: then they are the cell's.
        fields.extend(
            (0..self.sets_kept())
                .map(|index| Field::new(format!("set_{index}"), Sets::data_type(), index > 0)),
        );
        // Null, too, where rows are not told apart.
        let types = Columns {
            twos: Sets::data_type(),
            threes: Sets::data_type(),
            weights: DataType::UInt64,
            noted: DataType::Binary,
        };
        let several = NAMES.into_iter().zip(types.in_order());
        for index in 0..self.sets_kept() {
            let several = several.clone();
            fields
                .extend(several.map(|(name, of)| Field::new(format!("{name}_{index}"), of, true)));
        }
        let print = Prints::data_type(self.buckets);
        fields.extend(
            (0..self.prints_kept())
                .map(|index| Field::new(format!("print_{index}"), print.clone(), index > 0)),
        );
        fields.push(count("most".to_owned()));
        fields.extend((0..self.counts).map(|index| count(format!("count_{index}_most"))));
        fields.extend((0..self.values).map(|index| count(format!("value_{index}"))));
        fields.into()
    }
}

impl Layout {
    /// Names and types of what half an aggregate hands over: what a group would end in, the range of its units, and the
    /// values instead of how many there are.
    pub(crate) fn state_fields(self) -> Fields {
        let unit = |name: &str| Field::new(name, DataType::UInt32, false);
        let mut fields: Vec<_> = self.fields().iter().cloned().collect();
        fields.truncate(fields.len() - self.values);
        fields.push(unit("unit_first").into());
        fields.push(unit("unit_last").into());
        let values = |index| Field::new(format!("values_{index}"), Values::data_type(), false);
        fields.extend((0..self.values).map(|index| values(index).into()));
        fields.into()
    }
}

/// Whether a position is in a set of them.
const fn is_in(set: u64, at: usize) -> bool {
    at < 64 && set >> at & 1 == 1
}

/// Where something is kept of an argument, if it is.
pub(crate) struct Places {
    /// Of each counted argument.
    pub(crate) counts: Vec<Option<usize>>,
    /// Of each summed argument.
    pub(crate) sums: Vec<Option<usize>>,
}

/// The arguments of an evidence function over one batch.
pub(super) struct Arguments<'a> {
    pub(super) units: &'a UInt32Array,
    /// The number of each row, where they have some.
    pub(super) numbers: Option<&'a UInt32Array>,
    arguments: &'a [ArrayRef],
    layout: Layout,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(
        layout: Layout,
        values: &'a [ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Self> {
        // Behind the arguments the engine hands over what it orders by, which may be the unit once more.
        let units = values
            .first()
            .and_then(|units| units.as_primitive_opt::<UInt32Type>());
        let numbers = values.get(1).filter(|_| layout.has_numbers());
        let numbers = numbers.map(|numbers| numbers.as_primitive_opt::<UInt32Type>());
        if numbers.is_some_and(|numbers| numbers.is_none_or(|of| of.null_count() > 0)) {
            return internal_err!("every row has a number");
        }
        let arguments = values.get(layout.before_arguments()..layout.columns());
        match (units, arguments, filter) {
            (Some(units), Some(arguments), None) => Ok(Self {
                units,
                numbers: numbers.flatten(),
                arguments,
                layout,
            }),
            _ => internal_err!("evidence is computed of units and its arguments, unfiltered"),
        }
    }

    /// For a counted argument, whether a row has a value in it.
    pub(super) fn counted(&self, at: usize) -> &'a BooleanArray {
        self.arguments[at].as_boolean()
    }

    /// The values of a summed argument.
    pub(super) fn summed(&self, at: usize) -> &'a Float64Array {
        self.arguments[self.layout.counts + at].as_primitive::<Float64Type>()
    }

    /// The tags of the values of an argument whose distinct values are counted.
    pub(super) fn tagged(&self, at: usize) -> &'a UInt64Array {
        let at = self.layout.counts + self.layout.sums + at;
        self.arguments[at].as_primitive::<UInt64Type>()
    }
}
