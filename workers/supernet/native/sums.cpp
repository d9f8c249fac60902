// Weighted sums of normalised maps: one pass forward, two back, chunk by chunk so that what is shared stays in the cache.
#include <numeric>

#include "kernels.h"
#include "lanes.h"

namespace {

constexpr int64_t CHUNK = 2048;  // numbers, about: half of a first-level cache holds three chunks of doubles

// Channels repeated to a multiple of a vector: maps of any number of channels are then whole vectors.
template <class T>
struct Pattern {
  static constexpr int N = WIDE / sizeof(T);
  int64_t length;  // numbers after which channels begin anew at a vector's first place
  explicit Pattern(int64_t channels) : length(std::lcm(channels, int64_t(N))) {}
  std::vector<T> operator()(const T* x, int64_t channels) const {
    std::vector<T> found(length);
    for (int64_t i = 0; i < length; i++) found[i] = x ? x[i % channels] : T(0);
    return found;
  }
};

// Runs whole(first, periods) over pieces of [from, to) numbers, and the rest as rest(first, last).
template <class T, class Whole, class Rest>
void pieces(const Pattern<T>& pattern, int64_t from, int64_t to, Whole whole, Rest rest) {
  int64_t size = std::max<int64_t>(1, CHUNK / pattern.length), i = from;
  while (i < to) {
    int64_t periods = std::min(size, (to - i) / pattern.length);
    if (!periods) break;
    whole(i, periods);
    i += periods * pattern.length;
  }
  if (i < to) rest(i, to);
}

}  // namespace

template <class T>
Moments<T> moments_of(const T* z, int64_t channels, int64_t from, int64_t to) {
  constexpr int N = Pattern<T>::N;
  Pattern<T> pattern(channels);
  Moments<T> found;
  found.count = double(to - from);
  found.mean.assign(channels, 0), found.squares.assign(channels, 0);
  if (from >= to) return found;
  const T* first = z + from * channels;
  auto shift = pattern(first, channels);
  std::vector<double> sums(channels), squares(channels);
  pieces(
      pattern, from * channels, to * channels,
      [&](int64_t at, int64_t periods) {
        for (int64_t l = 0; l < pattern.length; l += N) {
          Vec<T, N> k = load<T, N>(&shift[l]), s[2] = {}, q[2] = {};
          for (int64_t p = 0; p < periods; p++) {
            Vec<T, N> e = load<T, N>(z + at + p * pattern.length + l) - k;
            s[p % 2] += e, q[p % 2] += e * e;
          }
          s[0] += s[1], q[0] += q[1];
          for (int n = 0; n < N; n++) sums[(l + n) % channels] += s[0][n], squares[(l + n) % channels] += q[0][n];
        }
      },
      [&](int64_t at, int64_t end) {
        for (int64_t i = at; i < end; i++) {
          double e = z[i] - first[i % channels];
          sums[i % channels] += e, squares[i % channels] += e * e;
        }
      });
  for (int64_t c = 0; c < channels; c++) {
    double mean = sums[c] / found.count;
    found.mean[c] = first[c] + mean;
    found.squares[c] = std::max(0.0, squares[c] - mean * mean * found.count);
  }
  return found;
}

template <class T>
void total(const std::vector<const T*>& z, const T* scale, const T* shift, int64_t channels, int64_t from, int64_t to,
           T* y) {
  constexpr int N = Pattern<T>::N;
  Pattern<T> pattern(channels);
  std::vector<std::vector<T>> scales;
  for (size_t o = 0; o < z.size(); o++) scales.push_back(pattern(scale + o * channels, channels));
  auto shifts = pattern(shift, channels);
  pieces(
      pattern, from * channels, to * channels,
      [&](int64_t at, int64_t periods) {
        for (size_t o = 0; o < z.size(); o++)
          for (int64_t l = 0; l < pattern.length; l += N) {
            Vec<T, N> a = load<T, N>(&scales[o][l]), b = load<T, N>(&shifts[l]);
            const T* p = z[o] + at + l;
            T* q = y + at + l;
            if (o == 0)
              for (int64_t i = 0; i < periods * pattern.length; i += pattern.length)
                store<T, N>(q + i, load<T, N>(p + i) * a + b);
            else
              for (int64_t i = 0; i < periods * pattern.length; i += pattern.length)
                store<T, N>(q + i, load<T, N>(q + i) + load<T, N>(p + i) * a);
          }
      },
      [&](int64_t at, int64_t end) {
        for (int64_t i = at; i < end; i++) {
          T found = shift[i % channels];
          for (size_t o = 0; o < z.size(); o++) found += z[o][i] * scale[o * channels + i % channels];
          y[i] = found;
        }
      });
}

template <class T>
void dots(const T* g, const std::vector<const T*>& z, const T* centre, int64_t channels, int64_t from, int64_t to,
          double* sums) {
  constexpr int N = Pattern<T>::N;
  Pattern<T> pattern(channels);
  int64_t terms = z.size();
  std::vector<std::vector<T>> centres;
  for (int64_t o = 0; o < terms; o++) centres.push_back(pattern(centre + o * channels, channels));
  auto give = [&](int64_t o, int64_t l, Vec<T, N> s) {
    for (int n = 0; n < N; n++) sums[o * channels + (l + n) % channels] += s[n];
  };
  pieces(
      pattern, from * channels, to * channels,
      [&](int64_t at, int64_t periods) {
        for (int64_t l = 0; l < pattern.length; l += N) {
          const T* r = g + at + l;
          Vec<T, N> ones[2] = {};
          for (int64_t p = 0; p < periods; p++) ones[p % 2] += load<T, N>(r + p * pattern.length);
          give(terms, l, ones[0] + ones[1]);
          for (int64_t o = 0; o < terms; o++) {
            Vec<T, N> k = load<T, N>(&centres[o][l]), s[4] = {};
            const T* q = z[o] + at + l;
            int64_t p = 0, step = pattern.length;
            for (; p + 4 <= periods; p += 4)
              for (int u = 0; u < 4; u++) s[u] += load<T, N>(r + (p + u) * step) * (load<T, N>(q + (p + u) * step) - k);
            for (; p < periods; p++) s[0] += load<T, N>(r + p * step) * (load<T, N>(q + p * step) - k);
            give(o, l, (s[0] + s[1]) + (s[2] + s[3]));
          }
        }
      },
      [&](int64_t at, int64_t end) {
        for (int64_t i = at; i < end; i++) {
          int64_t c = i % channels;
          sums[terms * channels + c] += g[i];
          for (int64_t o = 0; o < terms; o++) sums[o * channels + c] += double(g[i]) * (z[o][i] - centre[o * channels + c]);
        }
      });
}

template <class T>
void spread(const T* g, const std::vector<const T*>& z, const std::vector<T*>& dz, const T* a, const T* b, const T* k,
            int64_t channels, int64_t from, int64_t to) {
  constexpr int N = Pattern<T>::N;
  Pattern<T> pattern(channels);
  std::vector<std::vector<T>> as, bs, ks;
  for (size_t o = 0; o < z.size(); o++) {
    as.push_back(pattern(a + o * channels, channels));
    bs.push_back(pattern(b + o * channels, channels));
    ks.push_back(pattern(k + o * channels, channels));
  }
  pieces(
      pattern, from * channels, to * channels,
      [&](int64_t at, int64_t periods) {
        for (size_t o = 0; o < z.size(); o++) {
          if (!dz[o]) continue;
          for (int64_t l = 0; l < pattern.length; l += N) {
            Vec<T, N> u = load<T, N>(&as[o][l]), v = load<T, N>(&bs[o][l]), w = load<T, N>(&ks[o][l]);
            for (int64_t p = 0, i = at + l; p < periods; p++, i += pattern.length)
              store<T, N>(dz[o] + i, u * load<T, N>(g + i) + v * load<T, N>(z[o] + i) + w);
          }
        }
      },
      [&](int64_t at, int64_t end) {
        for (size_t o = 0; o < z.size(); o++)
          if (dz[o])
            for (int64_t i = at; i < end; i++) {
              int64_t c = o * channels + i % channels;
              dz[o][i] = a[c] * g[i] + b[c] * z[o][i] + k[c];
            }
      });
}

#define FOR(T)                                                                                                     \
  template Moments<T> moments_of<T>(const T*, int64_t, int64_t, int64_t);                                         \
  template void total<T>(const std::vector<const T*>&, const T*, const T*, int64_t, int64_t, int64_t, T*);        \
  template void dots<T>(const T*, const std::vector<const T*>&, const T*, int64_t, int64_t, int64_t, double*);    \
  template void spread<T>(const T*, const std::vector<const T*>&, const std::vector<T*>&, const T*, const T*,     \
                          const T*, int64_t, int64_t, int64_t);
FOR(float)
FOR(double)
