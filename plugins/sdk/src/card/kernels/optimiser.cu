// Steps of the optimisers, as `optimiser/` defines them: every operation is rounded on its own.

struct Coefficients {
  float first, keep_second, second, step_size, root_correction, epsilon;
};

// Zero for a subnormal number.
DEVICE float flushed(float value) {
  return float_of(bits_of(value) & 0x7fffffffu) < 1.17549435e-38f ? 0.0f : value;
}

// Sets `infinite`, if there is one, where a gradient is infinite or not a number.
DEVICE void note_infinite(float gradient, int *infinite) {
  if (infinite && (bits_of(gradient) & 0x7fffffffu) >= 0x7f800000u) *infinite = 1;
}

KERNEL adam(float *values, const float *gradients, float *first, float *second, i64 count, const Coefficients c,
            int *infinite) {
  EACH (i, count) {
    const float gradient = gradients[i];
    first[i] = flushed(first[i] + c.first * (gradient - first[i]));
    second[i] = flushed(c.keep_second * second[i] + c.second * (gradient * gradient));
    const float denominator = root(second[i]) / c.root_correction + c.epsilon;
    values[i] -= c.step_size * (first[i] / denominator);
    note_infinite(gradient, infinite);
  }
}
EXPORT(adam)

KERNEL descent(float *values, const float *gradients, float *momentum, i64 count, float keep, float rate,
               int *infinite) {
  EACH (i, count) {
    momentum[i] = keep * momentum[i] + gradients[i];
    values[i] -= rate * momentum[i];
    note_infinite(gradients[i], infinite);
  }
}
EXPORT(descent)
