//! Layers: whatever is laid on top, nothing is released that was withheld, and each limit knows who set it.

use proptest::prelude::*;
use weir_policy::{Layer, Layers, Policy};

use crate::laws::{layer, no_laxer, policy};

fn dataset(text: &str) -> Policy {
    Policy::layer_from_toml(text, "dataset.toml").unwrap()
}

fn in_force(layers: &Layers) -> Vec<(String, Option<String>, String)> {
    layers
        .in_force()
        .into_iter()
        .map(|one| (one.limit.key, one.limit.value, one.layer.to_string()))
        .collect()
}

#[test]
fn a_layer_says_nothing_about_keys_it_leaves_out() {
    let domain = Policy::from_toml(
        "name = \"open\"\ncell.class_disclosure = false\ncell.units_min = 5\n[rounding]\ncount_base = 1",
        "domain.toml",
    )
    .unwrap();
    let layers = Layers::new(domain.clone()).with(
        Layer::Dataset("stays".to_owned()),
        dataset("name = \"health\"\ncell.units_min = 20"),
    );
    let folded = layers.policy();
    assert_eq!((folded.units_min(), domain.units_min()), (20, 5));
    assert!(!folded.class_disclosure(), "the layer did not ask for it");
    assert_eq!(folded.count_base(), 1);
    assert_eq!(folded.name(), "health+open");
    // An empty layer is not the default policy: it changes nothing.
    let nothing = Layers::new(domain.clone()).with(Layer::Domain, dataset("name = \"open\""));
    assert_eq!(nothing.policy(), &domain);
}

#[test]
fn each_limit_in_force_names_the_layer_that_set_it_first() {
    let layers = Layers::new(Policy::built_in_default())
        .with(
            Layer::Dataset("stays".to_owned()),
            dataset("name = \"a\"\ncell.units_min = 20\ncell.rows_min = 3\ndominance.top1_share_max = 0.5"),
        )
        .with(
            Layer::Grant("g7".to_owned()),
            dataset("name = \"b\"\ncell.units_min = 20\ntable.cells_max = 100\ndominance.top1_share_max = 0.4"),
        );
    let in_force = in_force(&layers);
    let of = |key: &str| {
        let (_, value, layer) = in_force.iter().find(|one| one.0 == key).unwrap();
        (value.clone().unwrap_or_default(), layer.clone())
    };
    let set = |value: &str, layer: &str| (value.to_owned(), layer.to_owned());
    assert_eq!(of("cell.units_min"), set("20", "dataset stays"));
    assert_eq!(of("cell.rows_min"), set("10", "domain"));
    assert_eq!(of("table.cells_max"), set("100", "grant g7"));
    assert_eq!(of("dominance.top1_share_max"), set("0.40", "grant g7"));
    assert_eq!(of("dominance.top3_share_max"), set("", "domain"));
}

#[test]
fn a_layer_below_the_floor_is_refused_like_any_policy() {
    let error = Policy::layer_from_toml("name = \"x\"\ncell.units_min = 2", "l.toml").unwrap_err();
    assert_eq!(error.code(), "POLICY_BELOW_FLOOR");
}

#[test]
fn a_layer_reads_back_from_its_canonical_form_with_the_same_digest() {
    let layer = dataset("name = \"x\"\ncell.units_min = 20");
    for read in [Policy::from_toml, Policy::layer_from_toml] {
        let again = read(&layer.canonical(), "canonical").unwrap();
        assert_eq!((again.digest(), &again), (layer.digest(), &layer));
    }
}

proptest! {
    #[test]
    fn adding_any_layer_never_loosens(domain in policy(), layers in proptest::collection::vec(layer(), 0..5)) {
        let mut folded = Layers::new(domain.clone());
        for (number, layer) in layers.into_iter().enumerate() {
            let before = folded.policy().clone();
            folded = folded.with(Layer::Dataset(number.to_string()), layer.clone());
            prop_assert!(no_laxer(folded.policy(), &before));
            prop_assert!(no_laxer(folded.policy(), &layer));
        }
        prop_assert!(no_laxer(folded.policy(), &domain));
        for one in folded.in_force() {
            let own = folded.policy().limits().into_iter().find(|limit| limit.key == one.limit.key).unwrap();
            prop_assert_eq!(own, one.limit);
        }
    }

    #[test]
    fn the_order_of_layers_changes_nothing_but_who_is_named(domain in policy(), a in layer(), b in layer()) {
        let lay = |first: &Policy, second: &Policy| {
            Layers::new(domain.clone())
                .with(Layer::Domain, first.clone())
                .with(Layer::Domain, second.clone())
                .policy()
                .clone()
        };
        prop_assert_eq!(lay(&a, &b), lay(&b, &a));
    }

    #[test]
    fn the_layer_named_has_the_value_in_force(domain in policy(), a in layer(), b in layer()) {
        let named = [("domain", &domain), ("dataset a", &a), ("grant b", &b)];
        let layers = Layers::new(domain.clone())
            .with(Layer::Dataset("a".to_owned()), a.clone())
            .with(Layer::Grant("b".to_owned()), b.clone());
        for (position, (key, value, layer)) in in_force(&layers).into_iter().enumerate() {
            let first = named.iter().find(|(_, policy)| policy.limits()[position].value == value).unwrap();
            prop_assert_eq!(layer, first.0, "{}", key);
        }
    }
}
