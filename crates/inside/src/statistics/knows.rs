//! What may be known of an argument before anything is computed.

use datafusion::logical_expr::{Expr, Operator};

/// What is known of an argument.
#[derive(Clone, Copy)]
pub(crate) struct Knows<'a> {
    /// Whether it says what must not become known about a unit.
    pub(crate) is_sensitive: &'a dyn Fn(&Expr) -> bool,
    /// Whether a model computed something of the rows.
    pub(crate) by_model: bool,
}

impl Knows<'_> {
    /// Whether an argument is a column of the data itself, perhaps in another unit of measure, so that nobody chose where it
    /// is null. Of other arithmetic that is not so: a division by zero is null, and a whole number that is too large.
    pub(super) fn is_of_the_data(self, of: &Expr) -> bool {
        match of {
            Expr::BinaryExpr(scaled)
                if matches!(
                    scaled.op,
                    Operator::Plus | Operator::Minus | Operator::Multiply
                ) =>
            {
                let is_float = |side: &Expr| matches!(side, Expr::Literal(value, _) if value.data_type().is_floating());
                (is_float(&scaled.right) && self.is_of_the_data(&scaled.left))
                    || (is_float(&scaled.left) && self.is_of_the_data(&scaled.right))
            }
            Expr::Column(_) => !self.by_model,
            Expr::Cast(cast) => self.is_of_the_data(&cast.expr),
            Expr::TryCast(cast) => self.is_of_the_data(&cast.expr),
            // A column where other columns have a value, as statistics of two columns take it.
            Expr::Case(case) if case.expr.is_none() && case.else_expr.is_none() => {
                let pairs = || case.when_then_expr.iter();
                pairs().all(|(when, then)| self.is_there(when) && self.is_of_the_data(then))
            }
            _ => false,
        }
    }

    /// Whether an argument is made of columns by addition and multiplication alone.
    pub(super) fn is_measured(self, of: &Expr) -> bool {
        match of {
            Expr::Column(_) | Expr::Literal(..) => true,
            Expr::Cast(cast) => self.is_measured(&cast.expr),
            Expr::TryCast(cast) => self.is_measured(&cast.expr),
            Expr::Negative(of) => self.is_measured(of),
            Expr::BinaryExpr(sum) => {
                let op = matches!(
                    sum.op,
                    Operator::Plus | Operator::Minus | Operator::Multiply
                );
                op && self.is_measured(&sum.left) && self.is_measured(&sum.right)
            }
            other => self.is_of_the_data(other),
        }
    }

    fn is_there(self, condition: &Expr) -> bool {
        matches!(condition, Expr::IsNotNull(of) if self.is_of_the_data(of))
    }
}
