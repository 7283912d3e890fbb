// Functions of units, as `function/` defines them: the same operations in the same order.

#define IDENTITY 0
#define TANH 1
#define RELU 2
#define LOGISTIC 3

#define ROUNDING 12582912.0f
#define LOG2_E 1.44269504088896340736f
#define LN_2 0.693147180559945309417f

DEVICE float doubled_exponential(float r) {
  float sum = fused(0.0f, r, 0.08921959f);
  sum = fused(sum, r, 0.26772663f);
  sum = fused(sum, r, 0.66666245f);
  sum = fused(sum, r, 1.3333236f);
  sum = fused(sum, r, 2.0f);
  sum = fused(sum, r, 2.0f);
  return fused(sum, r, 1.0f);
}

DEVICE float tanh_near(float y) {
  const float z = y * y;
  float series = fused(0.0f, z, -0.0059058685f);
  series = fused(series, z, 0.020805385f);
  series = fused(series, z, -0.053786684f);
  series = fused(series, z, 0.13331959f);
  series = fused(series, z, -0.333333f);
  return fused(z * series, y, y);
}

DEVICE float tanh_far(float y) {
  const float shifted = fused(y, 2.0f * LOG2_E, ROUNDING);
  const float n = shifted - ROUNDING;
  const float r = fused(n, -0.5f * LN_2, y);
  const float power = float_of((bits_of(shifted) << 23) + bits_of(1.0f));
  return 1.0f - 2.0f / fused(power, doubled_exponential(r), 1.0f);
}

DEVICE float tanh_of(float x) {
  const u32 sign = bits_of(x) & 0x80000000u;
  const float magnitude = float_of(bits_of(x) ^ sign);
  const float y = magnitude > 10.0f ? 10.0f : magnitude;
  const float value = y < 0.6f ? tanh_near(y) : tanh_far(y);
  return float_of((bits_of(value) & 0x7fffffffu) | sign);
}

DEVICE float power_of_two(int n) { return float_of(((u32)n << 23) + bits_of(1.0f)); }

DEVICE float exponential(float x) {
  float y = x > 89.0f ? 89.0f : x;
  y = y < -104.0f ? -104.0f : y;
  const float shifted = fused(y, LOG2_E, ROUNDING);
  const float n = shifted - ROUNDING;
  const float r = fused(n, 2.1219444e-4f, fused(n, -0.6933594f, y));
  const int exponent = (int)(bits_of(shifted) - bits_of(ROUNDING));
  const int half = exponent >> 1;
  return doubled_exponential(0.5f * r) * power_of_two(half) * power_of_two(exponent - half);
}

DEVICE float function_of(int function, float value) {
  switch (function) {
    case TANH: return tanh_of(value);
    case RELU: return value <= 0.0f ? 0.0f : value;
    case LOGISTIC: return 1.0f / (1.0f + exponential(-value));
    default: return value;
  }
}

// values ← function(values)
KERNEL apply_function(float *values, i64 count, int function) {
  EACH (i, count) values[i] = function_of(function, values[i]);
}
EXPORT(apply_function)

// delta φ'(a), given h = φ(a)
DEVICE float times_derivative(int function, float delta, float h) {
  switch (function) {
    case TANH: return delta * fused(-h, h, 1.0f);
    case RELU: return h <= 0.0f ? 0.0f : delta;
    default: return delta;
  }
}

// delta ← delta ∘ φ'(a), given h = φ(a)
KERNEL multiply_derivative(float *delta, const float *h, i64 count, int function) {
  EACH (i, count) delta[i] = times_derivative(function, delta[i], h[i]);
}
EXPORT(multiply_derivative)

// out = softmax(a) over the units of each sample; in a row of statistics the largest of a of every sample, then
// Σ e^(a − largest), and room for as many more
KERNEL softmax(float *out, const float *a, double *statistics, const Count row, i64 units, i64 samples) {
  statistics += value_of(row) * 3 * samples;
  EACH (sample, samples) {
    const auto value = [=](i64 unit) { return a[unit * samples + sample]; };
    float most = -float_of(0x7f800000u);
    in_turn(units, value, [&](i64, float value) { most = value > most ? value : most; });
    double sum = 0.0;
    in_turn(units, value, [&](i64 unit, float value) {
      const float power = exponential(value - most);
      out[unit * samples + sample] = power;
      sum += (double)power;
    });
    const auto power = [=](i64 unit) { return out[unit * samples + sample]; };
    in_turn(units, power, [&](i64 unit, float power) { out[unit * samples + sample] = (float)((double)power / sum); });
    statistics[sample] = (double)most;
    statistics[samples + sample] = sum;
  }
}
EXPORT(softmax)

// values ← (values − m)/s over the units of each sample, and s
KERNEL normalise(float *values, float *deviation, double variance, i64 units, i64 samples) {
  EACH (sample, samples) {
    const auto value = [=](i64 unit) { return values[unit * samples + sample]; };
    double mean = 0.0, square = 0.0;
    in_turn(units, value, [&](i64, float value) { mean += (double)value; });
    in_turn(units, value, [&](i64, float value) {
      const double centred = (double)value - mean / (double)units;
      square += centred * centred;
    });
    mean /= (double)units;
    square = root64(square / (double)units + variance);
    deviation[sample] = (float)square;
    in_turn(units, value, [&](i64 unit, float value) {
      values[unit * samples + sample] = (float)(((double)value - mean) / square);
    });
  }
}
EXPORT(normalise)

// delta ← (I − 11ᵀ/n − h hᵀ/n)/s delta
KERNEL multiply_jacobian(float *delta, const float *h, const float *deviation, i64 units, i64 samples) {
  EACH (sample, samples) {
    const auto both = [=](i64 unit) { return Both{delta[unit * samples + sample], h[unit * samples + sample]}; };
    double mean = 0.0, along = 0.0;
    in_turn(units, both, [&](i64, Both both) {
      mean += (double)both.a;
      along += (double)both.a * (double)both.b;
    });
    const double by = (double)deviation[sample];
    in_turn(units, both, [&](i64 unit, Both both) {
      const double projected = (mean + along * (double)both.b) / (double)units;
      delta[unit * samples + sample] = (float)(((double)both.a - projected) / by);
    });
  }
}
EXPORT(multiply_jacobian)
