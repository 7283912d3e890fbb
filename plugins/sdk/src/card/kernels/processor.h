// Shared by the two ways in which a processor runs the kernels.

#include <cmath>
#include <cstddef>
#include <cstring>
#include <utility>

template <class To, class From>
static inline To of_same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "they have as many bits");
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

template <class... Arguments, size_t... Index>
static void call(void (*kernel)(Arguments...), void **arguments, std::index_sequence<Index...>) {
  kernel(*static_cast<Arguments *>(arguments[Index])...);
}

// One thread, or all that take turns, of a block.
template <class... Arguments>
static void call(void (*kernel)(Arguments...), void **arguments) {
  call(kernel, arguments, std::index_sequence_for<Arguments...>());
}
