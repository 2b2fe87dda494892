//! The strain of a departure: see `model.wit` for the columns, and `README.md` for the rule.

wit_bindgen::generate!({ path: "model.wit", world: "model" });

struct Model;

impl Guest for Model {
    fn row(distance: i32, hour: i32, month: i32) -> Outcome {
        let planned_min = 60.0 + f64::from(distance) / 8.0;
        let evening = if hour >= 17 { 1.25 } else { 1.0 };
        let winter = if month == 12 || month <= 2 { 1.2 } else { 1.0 };
        let strain = (planned_min * evening * winter / 600.0).clamp(0.0, 1.0);
        let band = match strain {
            strain if strain < 0.25 => Band::Light,
            strain if strain < 0.5 => Band::Normal,
            _ => Band::Heavy,
        };
        Outcome { band, strain }
    }
}

export!(Model);
