// Pooling with channels last. Backwards every place gathers from the windows that it lies in.
#include <limits>

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

}  // namespace

template <class T>
void largest(const Window& w, const T* x, int64_t from, int64_t to, T* y, uint8_t* taken) {
  int64_t C = w.channels;
  for (int64_t n = from; n < to; n++)
    for (int64_t i = 0; i < w.rows; i++)
      for (int64_t j = 0; j < w.columns; j++) {
        int64_t at = ((n * w.rows + i) * w.columns + j) * C;
        T* best = y + at;
        uint8_t* which = taken + at;
        std::fill(best, best + C, -std::numeric_limits<T>::infinity());
        Span r = inside(i, w.stride, w.pad, w.kernel, w.height), s = inside(j, w.stride, w.pad, w.kernel, w.width);
        uint8_t start = (r.from - i * w.stride + w.pad) * w.kernel + s.from - j * w.stride + w.pad;
        std::fill(which, which + C, start);
        for (int64_t h = r.from; h < r.to; h++)
          for (int64_t v = s.from; v < s.to; v++) {
            const T* p = x + ((n * w.height + h) * w.width + v) * C;
            uint8_t tap = (h - i * w.stride + w.pad) * w.kernel + v - j * w.stride + w.pad;
#pragma omp simd
            for (int64_t c = 0; c < C; c++) {
              bool more = p[c] > best[c] || p[c] != p[c];  // what is no number wins, as in torch
              best[c] = more ? p[c] : best[c];
              which[c] = more ? tap : which[c];
            }
          }
      }
}

template <class T>
void largest_back(const Window& w, const T* g, const uint8_t* taken, int64_t from, int64_t to, T* dx) {
  int64_t C = w.channels;
  for (int64_t n = from; n < to; n++)
    for (int64_t h = 0; h < w.height; h++)
      for (int64_t v = 0; v < w.width; v++) {
        T* out = dx + ((n * w.height + h) * w.width + v) * C;
        std::fill(out, out + C, T(0));
        Span r = windows(h, w.stride, w.pad, w.kernel, w.rows), s = windows(v, w.stride, w.pad, w.kernel, w.columns);
        for (int64_t i = r.from; i < r.to; i++)
          for (int64_t j = s.from; j < s.to; j++) {
            int64_t at = ((n * w.rows + i) * w.columns + j) * C;
            const T* q = g + at;
            const uint8_t* which = taken + at;
            uint8_t tap = (h - i * w.stride + w.pad) * w.kernel + v - j * w.stride + w.pad;
#pragma omp simd
            for (int64_t c = 0; c < C; c++) out[c] += which[c] == tap ? q[c] : T(0);
          }
      }
}

template <class T>
void average(const Window& w, const T* x, int64_t from, int64_t to, T* y) {
  int64_t C = w.channels;
  for (int64_t n = from; n < to; n++)
    for (int64_t i = 0; i < w.rows; i++)
      for (int64_t j = 0; j < w.columns; j++) {
        T* out = y + ((n * w.rows + i) * w.columns + j) * C;
        std::fill(out, out + C, T(0));
        Span r = inside(i, w.stride, w.pad, w.kernel, w.height), s = inside(j, w.stride, w.pad, w.kernel, w.width);
        T share = T(1) / T((r.to - r.from) * (s.to - s.from));
        for (int64_t h = r.from; h < r.to; h++)
          for (int64_t v = s.from; v < s.to; v++) {
            const T* p = x + ((n * w.height + h) * w.width + v) * C;
#pragma omp simd
            for (int64_t c = 0; c < C; c++) out[c] += p[c];
          }
#pragma omp simd
        for (int64_t c = 0; c < C; c++) out[c] *= share;
      }
}

template <class T>
void average_back(const Window& w, const T* g, int64_t from, int64_t to, T* dx) {
  int64_t C = w.channels;
  for (int64_t n = from; n < to; n++)
    for (int64_t h = 0; h < w.height; h++)
      for (int64_t v = 0; v < w.width; v++) {
        T* out = dx + ((n * w.height + h) * w.width + v) * C;
        std::fill(out, out + C, T(0));
        Span r = windows(h, w.stride, w.pad, w.kernel, w.rows), s = windows(v, w.stride, w.pad, w.kernel, w.columns);
        for (int64_t i = r.from; i < r.to; i++)
          for (int64_t j = s.from; j < s.to; j++) {
            Span down = inside(i, w.stride, w.pad, w.kernel, w.height);
            Span along = inside(j, w.stride, w.pad, w.kernel, w.width);
            T share = T(1) / T((down.to - down.from) * (along.to - along.from));
            const T* q = g + ((n * w.rows + i) * w.columns + j) * C;
#pragma omp simd
            for (int64_t c = 0; c < C; c++) out[c] += q[c] * share;
          }
      }
}

#define FOR(T)                                                                                    \
  template void largest<T>(const Window&, const T*, int64_t, int64_t, T*, uint8_t*);             \
  template void largest_back<T>(const Window&, const T*, const uint8_t*, int64_t, int64_t, T*);  \
  template void average<T>(const Window&, const T*, int64_t, int64_t, T*);                       \
  template void average_back<T>(const Window&, const T*, int64_t, int64_t, T*);
FOR(float)
FOR(double)
