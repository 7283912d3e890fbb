// Steps of the optimisers, as `optimiser/` defines them: every operation is rounded on its own.

struct Settings {
  double rate, beta1, beta2, epsilon;
};

// Zero for a subnormal number.
DEVICE float flushed(float value) {
  return float_of(bits_of(value) & 0x7fffffffu) < 1.17549435e-38f ? 0.0f : value;
}

// base^exponent by the multiplications of a processor's `powi`.
DEVICE double power(double base, u32 exponent) {
  double product = 1.0;
  for (;; base *= base) {
    if (exponent & 1u) product *= base;
    exponent >>= 1;
    if (!exponent) return product;
  }
}

// Sets the flag of this step, if there is one, where a gradient is infinite or not a number.
DEVICE void note_infinite(float gradient, int *infinite, const Count &slot) {
  if (infinite && (bits_of(gradient) & 0x7fffffffu) >= 0x7f800000u) infinite[value_of(slot)] = 1;
}

// `t` is the number of this step, from 1.
KERNEL adam(float *values, const float *gradients, float *first, float *second, i64 count, const Settings s,
            const Count t, int *infinite, const Count slot) {
  SHARED float step_size[1];
  SHARED float root_correction[1];
  OWNED(float, gradient, );
  OWNED(float, value, );
  OWNED(float, old_first, );
  OWNED(float, old_second, );
  // They come from memory while one thread computes what is the same for all.
  EACH (i, count) {
    OWN(gradient) = gradients[i];
    OWN(value) = values[i];
    OWN(old_first) = first[i];
    OWN(old_second) = second[i];
  }
  PHASE {
    if (thread == 0) {
      const i64 step = value_of(t);
      const u32 exponent = step < 0x7fffffff ? (u32)step : 0x7fffffffu;
      step_size[0] = (float)(s.rate / (1.0 - power(s.beta1, exponent)));
      root_correction[0] = (float)root64(1.0 - power(s.beta2, exponent));
    }
  }
  const float of_first = (float)(1.0 - s.beta1), keep_second = (float)s.beta2, of_second = (float)(1.0 - s.beta2);
  EACH (i, count) {
    const float new_first = flushed(OWN(old_first) + of_first * (OWN(gradient) - OWN(old_first)));
    const float new_second = flushed(keep_second * OWN(old_second) + of_second * (OWN(gradient) * OWN(gradient)));
    const float denominator = root(new_second) / root_correction[0] + (float)s.epsilon;
    first[i] = new_first;
    second[i] = new_second;
    values[i] = OWN(value) - step_size[0] * (new_first / denominator);
    note_infinite(OWN(gradient), infinite, slot);
  }
}
EXPORT(adam)

KERNEL descent(float *values, const float *gradients, float *momentum, i64 count, float keep, float rate,
               int *infinite, const Count slot) {
  EACH (i, count) {
    momentum[i] = keep * momentum[i] + gradients[i];
    values[i] -= rate * momentum[i];
    note_infinite(gradients[i], infinite, slot);
  }
}
EXPORT(descent)
