// Pace of a flight: see model.wit for the columns. AssemblyScript without a runtime; the only memory written is the
// returned record, in the layout of the component model's canonical ABI:
// pace at 0 (flag, case), ground-speed-mph at 8 (flag) and 16 (value).
const RETURNED: usize = memory.data(24, 8);

const SLOW: u8 = 0;
const TYPICAL: u8 = 1;
const FAST: u8 = 2;

function paceOf(speed: f64): u8 {
  if (speed < 350.0) return SLOW;
  if (speed < 430.0) return TYPICAL;
  return FAST;
}

// An option is passed as a flag and a value; a record of two fields is returned by address.
export function row(distance: i32, hasAirTime: i32, airTime: f64): usize {
  const known = hasAirTime != 0 && airTime > 0.0;
  const speed = known ? <f64>distance / (airTime / 60.0) : 0.0;
  store<u8>(RETURNED, <u8>known, 0);
  store<u8>(RETURNED, known ? paceOf(speed) : SLOW, 1);
  store<u8>(RETURNED, <u8>known, 8);
  store<f64>(RETURNED, speed, 16);
  return RETURNED;
}
