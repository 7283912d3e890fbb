// Sums, as `sums.rs` defines them: in floats of 64 bits, each in its one order.

// Partial sums, to which elements go in turn.
#define LANES 16
// Elements of a whole tensor whose sum is made at a time.
#define PART 4096

// out_u = Σ values over the batch, of every row whose number leaves u when divided by the units
KERNEL sum_over_batch(float *out, const float *values, i64 units, i64 rows, i64 samples) {
  SHARED double lanes[THREADS / LANES][LANES];
  SHARED double of_rows[THREADS / LANES];
  SHARED double total[1];
  const i64 unit = BLOCK;
  const i64 step = units * (THREADS / LANES);
  PHASE if (thread == 0) total[0] = 0.0;
  for (i64 first = unit; first < rows; first += step) {
    PHASE {
      const i64 row = first + units * (thread / LANES);
      double sum = 0.0;
      if (row < rows)
        for (i64 sample = thread % LANES; sample < samples; sample += LANES)
          sum += (double)values[row * samples + sample];
      lanes[thread / LANES][thread % LANES] = sum;
    }
    PHASE {
      double sum = 0.0;
      if (thread % LANES == 0) {
        for (int lane = 0; lane < LANES; ++lane) sum += lanes[thread / LANES][lane];
        of_rows[thread / LANES] = sum;
      }
    }
    PHASE {
      if (thread == 0)
        for (int row = 0; row < THREADS / LANES && first + units * row < rows; ++row) total[0] += of_rows[row];
    }
  }
  PHASE if (thread == 0) out[unit] = (float)total[0];
}
EXPORT(sum_over_batch)

// sums[row][part] = Σ a b over the elements of a part, or Σ a where there is no b
KERNEL sums_of_parts(double *sums, const Count row, const float *a, const float *b, i64 count) {
  sums += value_of(row) * ((count + PART - 1) / PART);
  SHARED double lanes[THREADS / LANES][LANES];
  PHASE {
    const i64 begin = ((i64)BLOCK * (THREADS / LANES) + thread / LANES) * PART;
    const i64 end = begin + PART < count ? begin + PART : count;
    double sum = 0.0;
    for (i64 at = begin + thread % LANES; at < end; at += LANES)
      sum += b ? (double)a[at] * (double)b[at] : (double)a[at];
    lanes[thread / LANES][thread % LANES] = sum;
  }
  PHASE {
    const i64 part = (i64)BLOCK * (THREADS / LANES) + thread / LANES;
    if (thread % LANES == 0 && part * PART < count) {
      double sum = 0.0;
      for (int lane = 0; lane < LANES; ++lane) sum += lanes[thread / LANES][lane];
      sums[part] = sum;
    }
  }
}
EXPORT(sums_of_parts)

// Σ a b, or Σ a where there is no b, over the units of each sample, divided by `divisor`; in 64 bits, in a row of
// so many, rounded to 32 into `rounded`, or neither where it is null.
KERNEL over_units(double *sums, const Count row, i64 length, float *rounded, const float *a, const float *b,
                  double divisor, i64 units, i64 samples) {
  EACH (sample, samples) {
    double sum = 0.0;
    const auto both = [=](i64 unit) { return Both{a[unit * samples + sample], b ? b[unit * samples + sample] : 1.0f}; };
    in_turn(units, both, [&](i64, Both both) { sum += (double)both.a * (double)both.b; });
    sum /= divisor;
    if (sums) sums[value_of(row) * length + sample] = sum;
    if (rounded) rounded[sample] = (float)sum;
  }
}
EXPORT(over_units)
