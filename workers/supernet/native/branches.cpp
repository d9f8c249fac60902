// Depthwise and pointwise convolutions of one source, image by image, so that nothing between them leaves the cache.
#include "kernels.h"
#include "lanes.h"

template <class T>
void Moments<T>::join(const Moments<T>& other) {
  if (other.count == 0) return;
  if (count == 0) {
    *this = other;
    return;
  }
  double all = count + other.count;
  for (size_t c = 0; c < mean.size(); c++) {
    double apart = other.mean[c] - mean[c];
    squares[c] += other.squares[c] + apart * apart * count * other.count / all;
    mean[c] += apart * other.count / all;
  }
  count = all;
}
template struct Moments<float>;
template struct Moments<double>;

namespace {

template <class T>
struct Packed {  // weights of a branch with channels rounded up, zeros beyond
  std::vector<T> depth, flipped, point, across;
};

template <class T>
Packed<T> packed(const Branch<T>& b, int64_t channels, int64_t wide, int64_t broad) {
  Packed<T> p;
  int64_t taps = b.kernel * b.kernel;
  p.depth.assign(taps * wide, 0), p.flipped.assign(taps * wide, 0);
  for (int64_t c = 0; c < channels; c++)
    for (int64_t t = 0; t < taps; t++)
      p.depth[t * wide + c] = p.flipped[(taps - 1 - t) * wide + c] = b.depth[c * taps + t];
  p.point.assign(channels * broad, 0), p.across.assign(b.width * wide, 0);
  for (int64_t d = 0; d < b.width; d++)
    for (int64_t c = 0; c < channels; c++)
      p.point[c * broad + d] = p.across[d * wide + c] = b.point[d * channels + c];
  return p;
}

// out[i] (+)= sum over taps of a[i * step + tap] * w[tap], for B places of a row and all channels.
template <class T, int N, int B, bool ADD>
inline void taps(const T* a, const T* w, T* out, int64_t wide, int64_t kernel, int64_t step, int64_t down,
                 int64_t along) {
  for (int64_t c = 0; c < wide; c += N) {
    Vec<T, N> acc[B];
    for (int b = 0; b < B; b++) acc[b] = ADD ? load<T, N>(out + b * wide + c) : Vec<T, N>{};
    const T* q = w + c;
    for (int64_t i = 0; i < kernel; i++) {
      const T* r = a + i * down + c;
      for (int64_t j = 0; j < kernel; j++, r += along, q += wide) {
        Vec<T, N> v = load<T, N>(q);
        for (int b = 0; b < B; b++) acc[b] += load<T, N>(r + b * step) * v;
      }
    }
    for (int b = 0; b < B; b++) store<T, N>(out + b * wide + c, acc[b]);
  }
}

template <class T, int N, bool ADD>
void row_of_taps(const T* a, const T* w, T* out, int64_t places, int64_t wide, int64_t kernel, int64_t step,
                 int64_t down, int64_t along) {
  int64_t i = 0;
  for (; i + 8 <= places; i += 8)
    taps<T, N, 8, ADD>(a + i * step, w, out + i * wide, wide, kernel, step, down, along);
  for (; i + 4 <= places; i += 4)
    taps<T, N, 4, ADD>(a + i * step, w, out + i * wide, wide, kernel, step, down, along);
  for (; i < places; i++) taps<T, N, 1, ADD>(a + i * step, w, out + i * wide, wide, kernel, step, down, along);
}

// out (R, width) = x (R, depth) w (depth, width), Q vectors of the width at a time.
template <class T, int N, int R, int Q>
inline void tile(const T* x, int64_t pitch, const T* w, int64_t depth, int64_t width, T* out) {
  Vec<T, N> acc[R][Q] = {};
  for (int64_t c = 0; c < depth; c++) {
    Vec<T, N> v[Q];
    for (int q = 0; q < Q; q++) v[q] = load<T, N>(w + c * width + q * N);
    for (int r = 0; r < R; r++) {
      Vec<T, N> s = all<T, N>(x[r * pitch + c]);
      for (int q = 0; q < Q; q++) acc[r][q] += s * v[q];
    }
  }
  for (int r = 0; r < R; r++)
    for (int q = 0; q < Q; q++) store<T, N>(out + r * width + q * N, acc[r][q]);
}

template <class T, int N, int R>
inline void tiles(const T* x, int64_t pitch, const T* w, int64_t depth, int64_t width, T* out) {
  int64_t d = 0;
  for (; d + 2 * N <= width; d += 2 * N) tile<T, N, R, 2>(x, pitch, w + d, depth, width, out + d);
  for (; d < width; d += N) tile<T, N, R, 1>(x, pitch, w + d, depth, width, out + d);
}

// (places, depth) times (depth, width); rows of x lie `pitch` apart.
template <class T, int N>
void product(const T* x, int64_t pitch, const T* w, int64_t places, int64_t depth, int64_t width, T* out) {
  constexpr int R = WIDE == 64 ? 8 : 4;
  int64_t i = 0;
  for (; i + R <= places; i += R) tiles<T, N, R>(x + i * pitch, pitch, w, depth, width, out + i * width);
  for (; i < places; i++) tiles<T, N, 1>(x + i * pitch, pitch, w, depth, width, out + i * width);
}

// w (depth, width) += x^T (depth, places) g (places, width)
template <class T, int N, int R>
inline void outer(const T* x, int64_t pitch, const T* g, int64_t places, int64_t width, T* w) {
  for (int64_t d = 0; d < width; d += N) {
    Vec<T, N> acc[R];
    for (int r = 0; r < R; r++) acc[r] = load<T, N>(w + r * width + d);
    for (int64_t i = 0; i < places; i++) {
      Vec<T, N> v = load<T, N>(g + i * width + d);
      for (int r = 0; r < R; r++) acc[r] += all<T, N>(x[i * pitch + r]) * v;
    }
    for (int r = 0; r < R; r++) store<T, N>(w + r * width + d, acc[r]);
  }
}

// w[kernel row, K taps from `first`] += sum over places of g * a
template <class T, int N, int K>
void learn_taps(const T* a, const T* g, T* w, int64_t rows, int64_t columns, int64_t wide, int64_t step, int64_t below,
                int64_t along, int64_t pitch) {
  for (int64_t c = 0; c < wide; c += N) {
    Vec<T, N> acc[K] = {};
    for (int64_t i = 0; i < rows; i++) {
      const T *p = a + i * below + c, *q = g + i * pitch + c;
      for (int64_t j = 0; j < columns; j++, p += step, q += wide) {
        Vec<T, N> v = load<T, N>(q);
        for (int k = 0; k < K; k++) acc[k] += v * load<T, N>(p + k * along);
      }
    }
    for (int k = 0; k < K; k++) store<T, N>(w + k * wide + c, load<T, N>(w + k * wide + c) + acc[k]);
  }
}

// Sums of a row's places relative to a shift, four at a time.
template <class T, int N>
inline void gather(const T* row, const T* shift, int64_t places, int64_t wide, T* sums, T* squares) {
  for (int64_t c = 0; c < wide; c += N) {
    Vec<T, N> k = load<T, N>(shift + c), s[4] = {}, q[4] = {};
    int64_t i = 0;
    for (; i + 4 <= places; i += 4)
      for (int u = 0; u < 4; u++) {
        Vec<T, N> e = load<T, N>(row + (i + u) * wide + c) - k;
        s[u] += e, q[u] += e * e;
      }
    for (; i < places; i++) {
      Vec<T, N> e = load<T, N>(row + i * wide + c) - k;
      s[0] += e, q[0] += e * e;
    }
    store<T, N>(sums + c, load<T, N>(sums + c) + (s[0] + s[1]) + (s[2] + s[3]));
    store<T, N>(squares + c, load<T, N>(squares + c) + (q[0] + q[1]) + (q[2] + q[3]));
  }
}

template <class T, int N>
class Slice {
 public:
  Slice(const Source<T>& source, const std::vector<Branch<T>>& branches) : s(source), branches(branches) {
    wide = rounded(s.channels, N);
    pad = 0;
    int64_t longest = 0;
    for (auto& b : branches) {
      if (b.kernel) pad = std::max(pad, b.kernel / 2 * b.dilation);
      weights.push_back(packed(b, s.channels, wide, rounded(b.width, N)));
      longest = std::max(longest, b.columns * std::max(wide, rounded(b.width, N)));
    }
    pitch = (s.width + 2 * pad) * wide;
    padded.assign((s.height + 2 * pad) * pitch, 0);
    deep.assign(longest, 0), line.assign(longest, 0);
    scale.assign(wide, 0), shift.assign(wide, 0);
    if (s.scale) {
      std::copy(s.scale, s.scale + s.channels, scale.begin());
      std::copy(s.shift, s.shift + s.channels, shift.begin());
    }
  }

  void forward(int64_t image, std::vector<Moments<T>>* moments) {
    place(image);
    for (size_t n = 0; n < branches.size(); n++) {
      auto& b = branches[n];
      int64_t broad = rounded(b.width, N);
      std::vector<T> sums(broad), squares(broad), centre(broad);
      T* out = b.out + image * b.rows * b.columns * b.width;
      for (int64_t i = 0; i < b.rows; i++) {
        const T* x = depthwise(n, i);
        T* row = broad == b.width ? out + i * b.columns * b.width : line.data();
        product<T, N>(x, b.kernel ? wide : wide * b.stride, weights[n].point.data(), b.columns, s.channels, broad, row);
        if (moments) {
          if (i == 0) std::copy(row, row + broad, centre.begin());
          gather<T, N>(row, centre.data(), b.columns, broad, sums.data(), squares.data());
        }
        if (broad != b.width)
          for (int64_t j = 0; j < b.columns; j++)
            std::copy(row + j * broad, row + j * broad + b.width, out + (i * b.columns + j) * b.width);
      }
      if (moments) {
        Moments<T> found;
        found.count = double(b.rows * b.columns);
        for (int64_t d = 0; d < b.width; d++) {
          double mean = sums[d] / found.count;
          found.mean.push_back(centre[d] + mean);
          found.squares.push_back(std::max(0.0, squares[d] - mean * mean * found.count));
        }
        (*moments)[n].join(found);
      }
    }
  }

  void backward(int64_t image, T* dx, const T* centre, double* sums, std::vector<Weighted<T>>* found) {
    place(image);
    if (dx) towards.assign(padded.size(), 0);
    if (found && learnt.empty())
      for (size_t n = 0; n < branches.size(); n++) {
        learnt.emplace_back(branches[n].kernel * branches[n].kernel * wide, T(0));
        turned.emplace_back(rounded(s.channels, 8) * rounded(branches[n].width, N), T(0));
      }
    for (size_t n = 0; n < branches.size(); n++) back(n, image, dx != nullptr, found != nullptr);
    if (dx) leave(image, dx, centre, sums);
  }

  void give(std::vector<Weighted<T>>& found) const {
    for (size_t n = 0; n < learnt.size(); n++) {
      auto& b = branches[n];
      int64_t all = b.kernel * b.kernel, broad = rounded(b.width, N);
      auto& f = found[n];
      f.depth.assign(s.channels * all, 0), f.point.assign(b.width * s.channels, 0);
      for (int64_t c = 0; c < s.channels; c++) {
        for (int64_t t = 0; t < all; t++) f.depth[c * all + t] = learnt[n][t * wide + c];
        for (int64_t d = 0; d < b.width; d++) f.point[d * s.channels + c] = turned[n][c * broad + d];
      }
    }
  }

 private:
  // The maps of an image, scaled, bent and with zeros around them.
  void place(int64_t image) {
    const T* x = s.x + image * s.height * s.width * s.channels;
    for (int64_t i = 0; i < s.height; i++)
      for (int64_t j = 0; j < s.width; j++, x += s.channels) {
        T* p = inside(padded, i) + j * wide;
        if (wide == s.channels)
          for (int64_t c = 0; c < wide; c += N) {
            Vec<T, N> v = load<T, N>(x + c);
            if (s.scale) v = v * load<T, N>(&scale[c]) + load<T, N>(&shift[c]);
            if (s.relu) v = v < 0 ? Vec<T, N>{} : v;
            store<T, N>(p + c, v);
          }
        else
          for (int64_t c = 0; c < s.channels; c++) {
            T v = s.scale ? x[c] * scale[c] + shift[c] : x[c];
            p[c] = s.relu && v < 0 ? T(0) : v;
          }
      }
  }

  T* inside(std::vector<T>& maps, int64_t row) { return maps.data() + (row + pad) * pitch + pad * wide; }

  // A row of what comes out of a depthwise convolution; of the maps themselves where there is none.
  const T* depthwise(size_t n, int64_t row) {
    auto& b = branches[n];
    if (!b.kernel) return inside(padded, row * b.stride);
    row_of_taps<T, N, false>(corner(padded, b, row), weights[n].depth.data(), deep.data(), b.columns, wide, b.kernel,
                             b.stride * wide, b.dilation * pitch, b.dilation * wide);
    return deep.data();
  }

  // The place of the first tap of a row's first place.
  T* corner(std::vector<T>& maps, const Branch<T>& b, int64_t row) {
    int64_t reach = b.kernel / 2 * b.dilation;
    return inside(maps, row * b.stride - reach) - reach * wide;
  }

  void back(size_t n, int64_t image, bool on, bool learns) {
    auto& b = branches[n];
    int64_t broad = rounded(b.width, N), reach = b.kernel / 2 * b.dilation;
    // the gradient of the depthwise result, with zeros around it where a convolution follows
    bool dense = b.kernel && b.stride == 1;
    int64_t edge = dense ? reach : 0, span = (b.columns + 2 * edge) * wide;
    middle.assign((b.rows + 2 * edge) * span, 0);
    const T* g = b.gradient + image * b.rows * b.columns * b.width;
    for (int64_t i = 0; i < b.rows; i++) {
      const T* row = g + i * b.columns * b.width;
      if (broad != b.width) {
        for (int64_t j = 0; j < b.columns; j++) {
          std::copy(row + j * b.width, row + (j + 1) * b.width, &line[j * broad]);
          std::fill(&line[j * broad + b.width], &line[j * broad] + broad, T(0));
        }
        row = line.data();
      }
      if (learns) {
        const T* x = depthwise(n, i);
        int64_t step = b.kernel ? wide : wide * b.stride, c = 0;
        for (; c + 8 <= s.channels; c += 8)
          outer<T, N, 8>(x + c, step, row, b.columns, broad, &turned[n][c * broad]);
        for (; c < s.channels; c++) outer<T, N, 1>(x + c, step, row, b.columns, broad, &turned[n][c * broad]);
      }
      if (on || (learns && b.kernel))
        product<T, N>(row, broad, weights[n].across.data(), b.columns, b.width, wide,
                      middle.data() + (i + edge) * span + edge * wide);
    }
    const T* from = middle.data() + edge * span + edge * wide;
    if (learns && b.kernel)
      for (int64_t k = 0; k < b.kernel; k++)
        for (int64_t first = 0; first < b.kernel;) {
          const T* a = corner(padded, b, 0) + k * b.dilation * pitch + first * b.dilation * wide;
          T* w = learnt[n].data() + (k * b.kernel + first) * wide;
          int64_t step = b.stride * wide, below = b.stride * pitch, along = b.dilation * wide;
#define LEARN(K) \
  learn_taps<T, N, K>(a, from, w, b.rows, b.columns, wide, step, below, along, span), first += K
          switch (b.kernel - first) {
            case 3: LEARN(3); break;
            case 4: LEARN(4); break;
            case 5: LEARN(5); break;
            case 7: LEARN(7); break;
            default: LEARN(1);
          }
#undef LEARN
        }
    if (!on) return;
    if (dense)
      for (int64_t i = 0; i < s.height; i++)
        row_of_taps<T, N, true>(middle.data() + i * span, weights[n].flipped.data(), inside(towards, i), s.width, wide,
                                b.kernel, wide, b.dilation * span, b.dilation * wide);
    else
      for (int64_t i = 0; i < b.rows; i++) {
        const T* q = from + i * span;
        for (int64_t j = 0; j < b.columns; j++, q += wide)
          if (b.kernel)
            for (int64_t t = 0; t < b.kernel * b.kernel; t++) {
              T* p = corner(towards, b, i) + j * b.stride * wide + t / b.kernel * b.dilation * pitch +
                     t % b.kernel * b.dilation * wide;
              add(p, q, weights[n].depth.data() + t * wide);
            }
          else
            add(inside(towards, i * b.stride) + j * b.stride * wide, q, nullptr);
      }
  }

  void add(T* p, const T* q, const T* w) {
    for (int64_t c = 0; c < wide; c += N) {
      Vec<T, N> v = load<T, N>(q + c);
      store<T, N>(p + c, load<T, N>(p + c) + (w ? v * load<T, N>(w + c) : v));
    }
  }

  // The gradient of an image without the zeros around it, and its sums where a normalisation comes before.
  void leave(int64_t image, T* dx, const T* centre, double* sums) {
    const T* x = s.x + image * s.height * s.width * s.channels;
    T* out = dx + image * s.height * s.width * s.channels;
    std::vector<T> ones(wide), dots(wide), middle_of(wide);
    if (sums) std::copy(centre, centre + s.channels, middle_of.begin());
    for (int64_t i = 0; i < s.height; i++) {
      const T *a = inside(padded, i), *g = inside(towards, i);
      for (int64_t j = 0; j < s.width; j++, a += wide, g += wide, x += s.channels, out += s.channels) {
        if (wide == s.channels)
          for (int64_t c = 0; c < wide; c += N) {
            Vec<T, N> v = load<T, N>(g + c);
            if (s.relu) v = load<T, N>(a + c) <= 0 ? Vec<T, N>{} : v;
            store<T, N>(out + c, v);
            if (sums) {
              store<T, N>(&ones[c], load<T, N>(&ones[c]) + v);
              Vec<T, N> e = load<T, N>(x + c) - load<T, N>(&middle_of[c]);
              store<T, N>(&dots[c], load<T, N>(&dots[c]) + v * e);
            }
          }
        else
          for (int64_t c = 0; c < s.channels; c++) {
            T v = s.relu && a[c] <= 0 ? T(0) : g[c];
            out[c] = v;
            ones[c] += v, dots[c] += v * (x[c] - middle_of[c]);
          }
      }
    }
    if (sums)
      for (int64_t c = 0; c < s.channels; c++) sums[c] += ones[c], sums[s.channels + c] += dots[c];
  }

  Source<T> s;
  std::vector<Branch<T>> branches;
  std::vector<Packed<T>> weights;
  int64_t wide, pad, pitch;
  std::vector<T> padded, deep, line, scale, shift, towards, middle;
  std::vector<std::vector<T>> learnt, turned;
};

template <class T>
constexpr int narrow() { return 32 / sizeof(T); }
template <class T>
constexpr int wide() { return WIDE / sizeof(T); }

template <class T>
bool fits_narrow(const Source<T>& s, const std::vector<Branch<T>>& branches) {
  bool found = s.channels % wide<T>() > 0;
  for (auto& b : branches) found = found || b.width % wide<T>() > 0;
  return found;
}

}  // namespace

template <class T>
void forward(const Source<T>& source, std::vector<Branch<T>>& branches, int64_t from, int64_t to,
             std::vector<Moments<T>>* moments) {
  auto run = [&](auto slice) {
    for (int64_t image = from; image < to; image++) slice.forward(image, moments);
  };
  if (fits_narrow(source, branches))
    run(Slice<T, narrow<T>()>(source, branches));
  else
    run(Slice<T, wide<T>()>(source, branches));
}

template <class T>
void backward(const Source<T>& source, const std::vector<Branch<T>>& branches, int64_t from, int64_t to, T* dx,
              const T* centre, double* sums, std::vector<Weighted<T>>* found) {
  auto run = [&](auto slice) {
    for (int64_t image = from; image < to; image++) slice.backward(image, dx, centre, sums, found);
    if (found) slice.give(*found);
  };
  if (fits_narrow(source, branches))
    run(Slice<T, narrow<T>()>(source, branches));
  else
    run(Slice<T, wide<T>()>(source, branches));
}

#define FOR(T)                                                                                                      \
  template void forward<T>(const Source<T>&, std::vector<Branch<T>>&, int64_t, int64_t, std::vector<Moments<T>>*); \
  template void backward<T>(const Source<T>&, const std::vector<Branch<T>>&, int64_t, int64_t, T*, const T*,       \
                            double*, std::vector<Weighted<T>>*);
FOR(float)
FOR(double)
