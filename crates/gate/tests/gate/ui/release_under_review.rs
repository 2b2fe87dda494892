//! A table that people have to look at is not released without their approval.

use weir_gate::{Judged, Recorder, Reviewed};

fn release<R: Recorder>(reviewed: Reviewed, recorder: &mut R) {
    let _ = reviewed.release(recorder);
}

fn convert(reviewed: Reviewed) -> Judged {
    reviewed.judged
}

fn main() {}
