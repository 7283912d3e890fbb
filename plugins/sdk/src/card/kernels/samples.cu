// Samples of a split that stays on the card, in the order of an epoch, or of the split where there is no order.

DEVICE i64 sample_at(const u32 *order, i64 place) { return order ? (i64)order[place] : place; }

// out(unit, b) ← the level of a pixel of sample first + b, after its crop. Units are pixels channel by channel, or, where
// they are interleaved, channels pixel by pixel.
KERNEL take_images(float *out, const unsigned char *pixels, const float *levels, const u32 *order, const int *crops,
                   const Count begin, i64 samples, i64 channels, i64 height, i64 width, int interleaved) {
  const i64 area = height * width, first = value_of(begin);
  EACH (i, channels * area * samples) {
    const i64 unit = i / samples;
    const i64 place = first + i % samples;
    const i64 channel = interleaved ? unit % channels : unit / area;
    const i64 pixel = interleaved ? unit / channels : unit % area;
    i64 y = pixel / width;
    i64 x = pixel % width;
    if (crops) {
      const int *crop = crops + 3 * place;
      if (crop[2] == 1) x = width - 1 - x;
      if (crop[2] == 2) y = height - 1 - y;
      y += crop[0];
      x += crop[1];
    }
    u32 value = 0;
    if (y >= 0 && y < height && x >= 0 && x < width)
      value = pixels[((sample_at(order, place) * channels + channel) * height + y) * width + x];
    out[i] = levels[256 * channel + value];
  }
}
EXPORT(take_images)

// out(class, b) ← 1 for the label of sample first + b, else 0
KERNEL take_labels(float *out, const i64 *labels, const u32 *order, const Count begin, i64 samples, i64 classes) {
  const i64 first = value_of(begin);
  EACH (i, classes * samples) {
    const i64 sample = sample_at(order, first + i % samples);
    out[i] = labels[sample] == i / samples ? 1.0f : 0.0f;
  }
}
EXPORT(take_labels)
