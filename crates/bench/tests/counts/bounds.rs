//! What the figures may be.

/// By how much a count may be more than what stands here, as a share: another compiler or another version of the engine
/// moves counts by a few parts in a hundred, and a step that got worse by less than this is found by `weir bench --compare`.
const TOLERANCE: f64 = 0.15;
/// By how much it may be less before it is worth writing down.
const BETTER: f64 = 0.25;

/// Counts of the development profile, in which Weir's evidence and gate and the engine are not optimised, and Arrow, the ledger and
/// its bitmaps are. They are no measure of speed; they grow with what is executed. What the engine does alone is told and not
/// held: it is not ours.
const BOUNDS: [(&str, f64); 5] = [
    ("evidence, of a row", 2_115.0),
    ("evidence ÷ plain aggregate, of a row", 1.53),
    ("evidence, of a run besides its rows", 19_900_000.0),
    ("gate, of a cell", 37_000.0),
    ("ledger, of a cell known earlier, for 100 asked", 225_000.0),
];

/// What was counted, in instructions or as a ratio of them.
pub(crate) struct Figure {
    name: &'static str,
    counted: f64,
}

impl Figure {
    pub(crate) const fn new(name: &'static str, counted: f64) -> Self {
        Self { name, counted }
    }
}

/// Prints every figure, and fails where one is over its bound. Optimised code is counted and held against nothing.
pub(crate) fn hold(figures: &[Figure]) {
    let mut over = Vec::new();
    println!("{:<48} {:>14} {:>14}", "instructions", "counted", "bound");
    for figure in figures {
        let bound = BOUNDS.iter().find(|(name, _)| *name == figure.name);
        let bound = bound.filter(|_| cfg!(debug_assertions));
        let Some((_, bound)) = bound else {
            println!("{:<48} {:>14.2}", figure.name, figure.counted);
            continue;
        };
        let said = match figure.counted / bound - 1.0 {
            more if more > TOLERANCE => "  OVER ITS BOUND",
            more if more < -BETTER => "  can be lowered",
            _ => "",
        };
        println!(
            "{:<48} {:>14.2} {bound:>14.2}{said}",
            figure.name, figure.counted
        );
        if figure.counted > bound * (1.0 + TOLERANCE) {
            over.push(figure.name);
        }
    }
    assert!(
        over.is_empty(),
        "more than {:.0} % over its bound in `crates/bench/tests/counts/bounds.rs`: {}. Find what became dearer, or raise the bound \
         and say in the commit why",
        TOLERANCE * 100.0,
        over.join("; ")
    );
}
