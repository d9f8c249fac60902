// What is computed, without a tensor library: raw pointers, one slice of a batch a call, no threads of their own.
//
// Maps lie with their channels last: (images, height, width, channels). T is float or double.
#pragma once
#include <cstdint>
#include <vector>

// A depthwise convolution (or none: kernel 0) that keeps extents over its stride, and a pointwise one behind it.
template <class T>
struct Branch {
  int64_t kernel, stride, dilation;
  int64_t rows, columns, width;  // extents and channels of what comes out
  const T* depth;                // (channels, kernel, kernel)
  const T* point;                // (width, channels)
  T* out = nullptr;              // forward
  const T* gradient = nullptr;   // backward
};

// What a slice found: sums over its places, relative to a shift of its own, or gradients of weights.
template <class T>
struct Moments {
  double count = 0;
  std::vector<double> mean, squares;  // squares: the sum of squared distances from the mean
  void join(const Moments& other);    // Chan, Golub and LeVeque (1979)
};

template <class T>
struct Weighted {
  std::vector<T> depth, point;  // laid out as Branch::depth and Branch::point
};

// The maps that branches read: x * scale + shift (null: x itself), then perhaps a ReLU.
template <class T>
struct Source {
  const T* x;
  int64_t height, width, channels;
  const T *scale, *shift;
  bool relu;
};

template <class T>
void forward(const Source<T>& source, std::vector<Branch<T>>& branches, int64_t from, int64_t to,
             std::vector<Moments<T>>* moments);

// dx: null where nobody asks. `sums`: with a scale, (2, channels): of g and of g * x, g the gradient of the scaled maps;
// dx is then g itself. `found`: null where no weight learns.
template <class T>
void backward(const Source<T>& source, const std::vector<Branch<T>>& branches, int64_t from, int64_t to, T* dx,
              const T* centre, double* sums, std::vector<Weighted<T>>* found);

// Mean and squares of channels over places [from, to).
template <class T>
Moments<T> moments_of(const T* z, int64_t channels, int64_t from, int64_t to);

// y[i, c] = shift[c] + sum over o of z_o[i, c] * scale[o, c], over places [from, to).
template <class T>
void total(const std::vector<const T*>& z, const T* scale, const T* shift, int64_t channels, int64_t from, int64_t to,
           T* y);

// sums (terms + 1, channels) += sum over i of g * (z_o - centre_o); the last row: of g.
template <class T>
void dots(const T* g, const std::vector<const T*>& z, const T* centre, int64_t channels, int64_t from, int64_t to,
          double* sums);

// dz_o[i, c] = a[o, c] * g[i, c] + b[o, c] * z_o[i, c] + k[o, c], where dz_o is not null.
template <class T>
void spread(const T* g, const std::vector<const T*>& z, const std::vector<T*>& dz, const T* a, const T* b, const T* k,
            int64_t channels, int64_t from, int64_t to);

struct Window {
  int64_t height, width, channels;  // of what comes in
  int64_t rows, columns;            // of what comes out
  int64_t kernel, stride, pad;
};

// Pooling of images [from, to). `taken`: which place of the window was the largest, the first of equals.
template <class T>
void largest(const Window& w, const T* x, int64_t from, int64_t to, T* y, uint8_t* taken);
template <class T>
void largest_back(const Window& w, const T* g, const uint8_t* taken, int64_t from, int64_t to, T* dx);

// The mean of the places of a window that lie inside.
template <class T>
void average(const Window& w, const T* x, int64_t from, int64_t to, T* y);
template <class T>
void average_back(const Window& w, const T* g, int64_t from, int64_t to, T* dx);
