//! The scoring function of `benches/src/bin/models`, as a function of arrow-udf.

use arrow_udf::function;

#[function("score(float64, float64, int32) -> float64")]
fn score(age: f64, power: f64, claims: i32) -> f64 {
    let risk = age * 0.03 + power * 0.5 + f64::from(claims);
    if risk > 40.0 {
        1.0
    } else {
        risk / (1.0 + risk)
    }
}
