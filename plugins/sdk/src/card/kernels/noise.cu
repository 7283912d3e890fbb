// Standard normal numbers from a key and a counter, as `noise/normal` defines them, by Philox4x32-10.

DEVICE void philox(u32 counter[4], u32 key_low, u32 key_high) {
  for (int round = 0; round < 10; ++round) {
    const u64 first = (u64)counter[0] * 0xd2511f53u, second = (u64)counter[2] * 0xcd9e8d57u;
    const u32 next[4] = {(u32)(second >> 32) ^ counter[1] ^ key_low, (u32)second,
                         (u32)(first >> 32) ^ counter[3] ^ key_high, (u32)first};
    for (int word = 0; word < 4; ++word) counter[word] = next[word];
    key_low += 0x9e3779b9u;
    key_high += 0xbb67ae85u;
  }
}

#define FRAC_1_SQRT_2 0.707106781186547524400844f
#define FRAC_PI_2 1.57079632679489661923132f

DEVICE float log_of_part(u32 n) {
  const float u = (float)(int)n * (1.0f / 16777216.0f);
  const u32 bits = bits_of(u) - bits_of(FRAC_1_SQRT_2);
  const float exponent = (float)((int)bits >> 23);
  const float mantissa = float_of((bits & 0x007fffffu) + bits_of(FRAC_1_SQRT_2));
  const float s = (mantissa - 1.0f) / (mantissa + 1.0f);
  const float q = s * s;
  const float series =
      1.0f + q * (1.0f / 3.0f + q * (1.0f / 5.0f + q * (1.0f / 7.0f + q * (1.0f / 9.0f))));
  return exponent * LN_2 + 2.0f * s * series;
}

// The two numbers of two random words.
DEVICE void box_muller(u32 of_radius, u32 direction, float *x, float *y) {
  const float radius = root(-2.0f * log_of_part((of_radius >> 8) + 1));
  const float angle = ((float)(int)(direction >> 10) + 0.5f) * (1.0f / 4194304.0f) - 0.5f;
  const float theta = angle * FRAC_PI_2;
  const float q = theta * theta;
  const float sine = theta * (1.0f + q * (-1.0f / 6.0f + q * (1.0f / 120.0f + q * (-1.0f / 5040.0f +
                                                                                 q * (1.0f / 362880.0f)))));
  const float cosine =
      1.0f + q * (-0.5f + q * (1.0f / 24.0f + q * (-1.0f / 720.0f + q * (1.0f / 40320.0f))));
  const float across = radius * sine;
  const float along = direction & 1u ? -(radius * cosine) : radius * cosine;
  const bool vertical = (direction & 2u) == 0;
  *x = vertical ? across : along;
  *y = vertical ? along : across;
}

// out = scale times the first numbers of the stream; each thread makes the four of one counter.
KERNEL normal(float *out, i64 count, u64 key, u32 layer, const Count updates, float scale) {
  const u64 step = (u64)value_of(updates);
  EACH (number, (count + 31) / 32 * 8) {
    u32 words[4] = {(u32)number, layer, (u32)step, (u32)(step >> 32)};
    philox(words, (u32)key, (u32)(key >> 32));
    float values[4];
    box_muller(words[0], words[1], &values[0], &values[1]);
    box_muller(words[2], words[3], &values[2], &values[3]);
    for (int k = 0; k < 4; ++k) {
      const i64 at = number / 8 * 32 + 8 * k + number % 8;
      if (at < count) out[at] = scale * values[k];
    }
  }
}
EXPORT(normal)
