// Pooling with channels last. Backwards every place gathers from the windows that it lies in.
#include <limits>
#include <vector>

#include "kernels.h"
#include "lanes.h"

namespace {

struct Span {
  int64_t from, to;
};

// Places of a window's side that lie inside.
Span inside(int64_t out, int64_t stride, int64_t pad, int64_t kernel, int64_t extent) {
  int64_t first = out * stride - pad;
  return {std::max<int64_t>(0, first), std::min(extent, first + kernel)};
}

// Windows of a side that a place lies in.
Span windows(int64_t at, int64_t stride, int64_t pad, int64_t kernel, int64_t count) {
  int64_t low = at + pad - kernel + 1;
  return {low <= 0 ? 0 : (low + stride - 1) / stride, std::min(count, (at + pad) / stride + 1)};
}

// Both for every place of a side: divisions are slow.
struct Sides {
  std::vector<Span> rows, columns, down, along;  // places of windows, windows of places
  explicit Sides(const Window& w) {
    for (int64_t i = 0; i < w.rows; i++) rows.push_back(inside(i, w.stride, w.pad, w.kernel, w.height));
    for (int64_t j = 0; j < w.columns; j++) columns.push_back(inside(j, w.stride, w.pad, w.kernel, w.width));
    for (int64_t h = 0; h < w.height; h++) down.push_back(windows(h, w.stride, w.pad, w.kernel, w.rows));
    for (int64_t v = 0; v < w.width; v++) along.push_back(windows(v, w.stride, w.pad, w.kernel, w.columns));
  }
};

template <class T, int N>
void largest_of(const Window& w, const T* x, int64_t from, int64_t to, T* y, uint8_t* taken) {
  Sides sides(w);
  int64_t C = w.channels;
  for (int64_t n = from; n < to; n++)
    for (int64_t i = 0; i < w.rows; i++)
      for (int64_t j = 0; j < w.columns; j++)
        for (int64_t c = 0; c < C; c += N) {
          Span r = sides.rows[i], s = sides.columns[j];
          Vec<T, N> best = all<T, N>(-std::numeric_limits<T>::infinity());
          Vec<T, N> which = all<T, N>((r.from - i * w.stride + w.pad) * w.kernel + s.from - j * w.stride + w.pad);
          for (int64_t h = r.from; h < r.to; h++) {
            const T* p = x + ((n * w.height + h) * w.width + s.from) * C + c;
            int64_t tap = (h - i * w.stride + w.pad) * w.kernel + s.from - j * w.stride + w.pad;
            for (int64_t v = s.from; v < s.to; v++, p += C, tap++) {
              Vec<T, N> value = load<T, N>(p);
              auto more = (value > best) | (value != value);  // what is no number wins, as in torch
              best = more ? value : best;
              which = more ? all<T, N>(T(tap)) : which;
            }
          }
          int64_t at = ((n * w.rows + i) * w.columns + j) * C + c;
          store<T, N>(y + at, best);
          for (int k = 0; k < N; k++) taken[at + k] = uint8_t(which[k]);
        }
}

template <class T, int N>
void largest_back_of(const Window& w, const T* g, const uint8_t* taken, int64_t from, int64_t to, T* dx) {
  typedef uint8_t Bytes __attribute__((vector_size(N)));
  Sides sides(w);
  int64_t C = w.channels;
  for (int64_t n = from; n < to; n++)
    for (int64_t h = 0; h < w.height; h++)
      for (int64_t v = 0; v < w.width; v++)
        for (int64_t c = 0; c < C; c += N) {
          Span r = sides.down[h], s = sides.along[v];
          Vec<T, N> sum = {};
          for (int64_t i = r.from; i < r.to; i++)
            for (int64_t j = s.from; j < s.to; j++) {
              int64_t at = ((n * w.rows + i) * w.columns + j) * C + c;
              Bytes bytes;
              std::memcpy(&bytes, taken + at, N);
              Vec<T, N> which = __builtin_convertvector(bytes, Vec<T, N>);
              Vec<T, N> tap = all<T, N>(T((h - i * w.stride + w.pad) * w.kernel + v - j * w.stride + w.pad));
              sum += which == tap ? load<T, N>(g + at) : Vec<T, N>{};
            }
          store<T, N>(dx + ((n * w.height + h) * w.width + v) * C + c, sum);
        }
}

template <class T, int N>
void average_of(const Window& w, const T* x, int64_t from, int64_t to, T* y) {
  Sides sides(w);
  int64_t C = w.channels;
  for (int64_t n = from; n < to; n++)
    for (int64_t i = 0; i < w.rows; i++)
      for (int64_t j = 0; j < w.columns; j++)
        for (int64_t c = 0; c < C; c += N) {
          Span r = sides.rows[i], s = sides.columns[j];
          Vec<T, N> sum = {};
          for (int64_t h = r.from; h < r.to; h++)
            for (int64_t v = s.from; v < s.to; v++)
              sum += load<T, N>(x + ((n * w.height + h) * w.width + v) * C + c);
          T share = T(1) / T((r.to - r.from) * (s.to - s.from));
          store<T, N>(y + ((n * w.rows + i) * w.columns + j) * C + c, sum * share);
        }
}

template <class T, int N>
void average_back_of(const Window& w, const T* g, int64_t from, int64_t to, T* dx) {
  Sides sides(w);
  std::vector<T> shares;
  for (auto& r : sides.rows)
    for (auto& s : sides.columns) shares.push_back(T(1) / T((r.to - r.from) * (s.to - s.from)));
  int64_t C = w.channels;
  for (int64_t n = from; n < to; n++)
    for (int64_t h = 0; h < w.height; h++)
      for (int64_t v = 0; v < w.width; v++)
        for (int64_t c = 0; c < C; c += N) {
          Span r = sides.down[h], s = sides.along[v];
          Vec<T, N> sum = {};
          for (int64_t i = r.from; i < r.to; i++)
            for (int64_t j = s.from; j < s.to; j++)
              sum += load<T, N>(g + ((n * w.rows + i) * w.columns + j) * C + c) * shares[i * w.columns + j];
          store<T, N>(dx + ((n * w.height + h) * w.width + v) * C + c, sum);
        }
}

}  // namespace

// As many channels at once as divide them.
#define BY_CHANNELS(CALL, ...)                                  \
  constexpr int wide = WIDE / sizeof(T), narrow = 32 / sizeof(T); \
  if (w.channels % wide == 0)                                   \
    CALL<T, wide>(w, __VA_ARGS__);                              \
  else if (w.channels % narrow == 0)                            \
    CALL<T, narrow>(w, __VA_ARGS__);                            \
  else                                                          \
    CALL<T, 1>(w, __VA_ARGS__);

template <class T>
void largest(const Window& w, const T* x, int64_t from, int64_t to, T* y, uint8_t* taken) {
  BY_CHANNELS(largest_of, x, from, to, y, taken)
}

template <class T>
void largest_back(const Window& w, const T* g, const uint8_t* taken, int64_t from, int64_t to, T* dx) {
  BY_CHANNELS(largest_back_of, g, taken, from, to, dx)
}

template <class T>
void average(const Window& w, const T* x, int64_t from, int64_t to, T* y) {
  BY_CHANNELS(average_of, x, from, to, y)
}

template <class T>
void average_back(const Window& w, const T* g, int64_t from, int64_t to, T* dx) {
  BY_CHANNELS(average_back_of, g, from, to, dx)
}

#define FOR(T)                                                                                    \
  template void largest<T>(const Window&, const T*, int64_t, int64_t, T*, uint8_t*);             \
  template void largest_back<T>(const Window&, const T*, const uint8_t*, int64_t, int64_t, T*);  \
  template void average<T>(const Window&, const T*, int64_t, int64_t, T*);                       \
  template void average_back<T>(const Window&, const T*, int64_t, int64_t, T*);
FOR(float)
FOR(double)
