use super::{EMPTY, text};
use crate::digest::Digest;
use crate::event::Event;

/// What ends a model.
pub(super) fn golden() -> Vec<(Event, String)> {
    let digest = Digest::of(b"");
    vec![
        (
            Event::ModelRejected {
                model: text("m"),
                digest,
                reason: text("a list of people"),
            },
            format!(
                r#"{{"type":"model_rejected","model":"m","digest":"{EMPTY}","reason":"a list of people"}}"#
            ),
        ),
        (
            Event::ModelWithdrawn {
                model: text("m"),
                digest,
                reason: text("a list of people"),
            },
            format!(
                r#"{{"type":"model_withdrawn","model":"m","digest":"{EMPTY}","reason":"a list of people"}}"#
            ),
        ),
    ]
}
