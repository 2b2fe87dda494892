// Disruption of a flight: see model.wit for the columns. No library, no allocation; the only memory written is the
// returned record, in the layout of the component model's canonical ABI.

enum band { ON_TIME, MINOR, MAJOR, SEVERE, CANCELLED };

struct outcome {
  unsigned char band;
  double score;
};

static struct outcome answer(enum band band, double score) {
  return (struct outcome){(unsigned char)band, score};
}

static enum band band_of(double score) {
  if (score < 0.05) return ON_TIME;
  if (score < 0.25) return MINOR;
  if (score < 0.6) return MAJOR;
  return SEVERE;
}

static struct outcome judge(int has_dep_delay, int has_arr_delay, double arr_delay, int distance, int hour) {
  if (!has_dep_delay || !has_arr_delay) return answer(CANCELLED, 1.0);
  double late = arr_delay > 0.0 ? arr_delay : 0.0;
  double block = 60.0 + distance / 8.0;  // minutes on the way, roughly: 8 miles a minute and an hour on the ground
  double relative = late / block;
  double weight = hour >= 17 ? 1.25 : 1.0;  // an evening delay more often costs the night
  double score = relative * weight;
  if (score > 1.0) score = 1.0;
  return answer(band_of(score), score);
}

// An option is passed as a flag and a value; a record of two fields is returned by address.
__attribute__((export_name("row")))
const struct outcome *row(int has_dep_delay, double dep_delay, int has_arr_delay, double arr_delay, int distance,
                          int hour) {
  static struct outcome returned;
  (void)dep_delay;
  returned = judge(has_dep_delay, has_arr_delay, arr_delay, distance, hour);
  return &returned;
}
