//! A second implementation of everything the gate does: checks, suppression, rounding, totals, closed domains.
//!
//! It starts from plain rows with units, and is too simple to be wrong the same way: it forms every margin of every cell
//! as a set of units, compares fractions by multiplication, and rounds numbers as texts. It knows nothing of evidence
//! columns, lattices or codes. `handed_over` computes from the same rows what inside would hand to the gate.
//!
//! | module | holds |
//! |---|---|
//! | `world` | rows, what a query asks of them, limits; random ones of each |
//! | `rules` | each check on one cell |
//! | `rounding` | rounding on texts |
//! | `naive` | the released table |
//! | `handed_over` | cells and evidence for the gate itself |
//! | `agree` | that both say the same, and the laws that follow |

mod agree;
mod handed_over;
mod naive;
mod rounding;
mod rules;
mod world;
