// The first tensor that is not finite, found where a step diverged and nobody looks for some more steps.

// found ← the number of the first tensor of a table of addresses and counts with a value that is infinite or not a
// number; or that of its entries, where it has none. Only where a part is not finite or the flag is set, and once. Notes and flags
// have a slot for each step that waits, parts a row.
KERNEL note_first(int *found, const int *flag, const Count slot, const double *parts, const Count row, i64 count,
                  const i64 *table, i64 entries) {
  SHARED int wanted[1];
  SHARED int seen[1];
  PHASE {
    if (thread == 0) wanted[0] = flag ? flag[value_of(slot)] : 0;
  }
  found += value_of(slot);
  parts += value_of(row) * count;
  PHASE {
    for (i64 at = thread; at < count; at += THREADS)
      if (!(parts[at] - parts[at] == 0.0)) wanted[0] = 1;
  }
  if (!wanted[0] || *found >= 0) return;
  i64 entry = 0;
  for (; entry < entries; ++entry) {
    const float *values = (const float *)table[2 * entry];
    PHASE {
      if (thread == 0) seen[0] = 0;
    }
    PHASE {
      for (i64 at = thread; at < table[2 * entry + 1]; at += THREADS)
        if (!(values[at] - values[at] == 0.0f)) seen[0] = 1;
    }
    if (seen[0]) break;
  }
  PHASE {
    if (thread == 0) *found = (int)entry;
  }
}
EXPORT(note_first)
