// One row in, one outcome out: see model.wit. AssemblyScript without a runtime.
//
// The canonical ABI of the component model, as far as it is used here: an option is passed as a flag and a value; a
// record is returned by the address of its fields: band at 0 (one byte), score at 8.
const RETURNED: usize = memory.data(16, 8);

const LOW: u8 = 0;
const MEDIUM: u8 = 1;
const HIGH: u8 = 2;

function bandOf(score: f64): u8 {
  if (score < 0.05) return LOW;
  if (score < 0.25) return MEDIUM;
  return HIGH;
}

export function row(distance: i32, hasArrDelay: i32, arrDelay: f64): usize {
  const late: f64 = hasArrDelay != 0 && arrDelay > 0.0 ? arrDelay : 0.0;
  const planned: f64 = 60.0 + <f64>distance / 8.0;
  const share: f64 = late / planned;
  const score: f64 = share > 1.0 ? 1.0 : share;
  store<u8>(RETURNED, bandOf(score), 0);
  store<f64>(RETURNED, score, 8);
  return RETURNED;
}
