// The numbers of steps that wait to be read.

// The natural logarithm by the operations of `libm::log`: that of FreeBSD's e_log.c.
DEVICE double logarithm(double x) {
  if (!(x > 0.0)) return x == 0.0 ? -1.0 / (x * x) : (x - x) / (x - x);
  if (x - x != 0.0) return x;
  int k = 0;
  if (x < 2.2250738585072014e-308) {
    k = -54;
    x *= 18014398509481984.0;
  }
  // x = 2^k m, with m from √½ to √2
  const u64 bits = bits_of64(x);
  const u32 high = (u32)(bits >> 32) + (0x3ff00000u - 0x3fe6a09eu);
  k += (int)(high >> 20) - 0x3ff;
  const double m = double_of((u64)((high & 0x000fffffu) + 0x3fe6a09eu) << 32 | (bits & 0xffffffffu));
  const double f = m - 1.0;
  const double half_square = 0.5 * f * f;
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double w = z * z;
  const double even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const double odd = z * (6.666666666666735130e-01 +
                          w * (2.857142874366239149e-01 +
                               w * (1.818357216161805012e-01 + w * 1.479819860510658591e-01)));
  const double of_power = (double)k;
  return s * (half_square + (odd + even)) + of_power * 1.90821492927058770002e-10 - half_square + f +
         of_power * 6.93147180369123816490e-01;
}

// sums[row] = Σ parts of a row of so many, or Σ m + ln s − a over the samples of which it has all m, then all s, then all a
KERNEL sums_of_rows(double *sums, const double *parts, i64 count, int cross_entropies) {
  SHARED double terms[THREADS];
  SHARED double total[1];
  const double *row = parts + BLOCK * count;
  const i64 length = cross_entropies ? count / 3 : count;
  PHASE if (thread == 0) total[0] = 0.0;
  for (i64 first = 0; first < length; first += THREADS) {
    PHASE {
      const i64 at = first + thread;
      if (at < length)
        terms[thread] = cross_entropies ? row[at] + logarithm(row[length + at]) - row[2 * length + at] : row[at];
    }
    PHASE {
      if (thread == 0)
        for (i64 at = 0; at < THREADS && first + at < length; ++at) total[0] += terms[at];
    }
  }
  PHASE if (thread == 0) sums[BLOCK] = total[0];
}
EXPORT(sums_of_rows)

// Nothing is noted of any step, and the next is that of the first slot. Of three rows of notes the first are flags.
KERNEL forget(int *notes, i64 steps, i64 *slot) {
  EACH (i, 3 * steps) {
    notes[i] = i < steps ? 0 : -1;
    if (i == 0 && slot) *slot = 0;
  }
}
EXPORT(forget)
