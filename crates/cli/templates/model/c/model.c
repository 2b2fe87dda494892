// One row in, one outcome out: see model.wit. No library and no allocation.
//
// The canonical ABI of the component model, as far as it is used here: an option is passed as a flag and a value; a
// record is returned by the address of its fields, each at its own alignment; an enum of up to 256 cases is a byte.

enum band { LOW, MEDIUM, HIGH };

struct outcome {
  unsigned char band;
  double score;
};

static enum band band_of(double score) {
  if (score < 0.05) return LOW;
  if (score < 0.25) return MEDIUM;
  return HIGH;
}

__attribute__((export_name("row")))
const struct outcome *row(int distance, int has_arr_delay, double arr_delay) {
  static struct outcome returned;
  double late = has_arr_delay && arr_delay > 0.0 ? arr_delay : 0.0;
  double planned = 60.0 + distance / 8.0;
  double score = late / planned;
  if (score > 1.0) score = 1.0;
  returned.band = band_of(score);
  returned.score = score;
  return &returned;
}
