// The numbers that a card counts, so that a step's launches are the same each time.

struct Advances {
  i64 by[8];
};

// counts ← counts + by
KERNEL advance(i64 *counts, i64 count, const Advances advances) {
  EACH (i, count) counts[i] += advances.by[i];
}
EXPORT(advance)
