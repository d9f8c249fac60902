// Vectors of a compiler: N numbers that are loaded, added and multiplied at once.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__AVX512F__)
constexpr int WIDE = 64;  // bytes
#else
constexpr int WIDE = 32;
#endif

template <class T, int N>
struct Lane {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
  typedef T loose __attribute__((vector_size(N * sizeof(T)), aligned(sizeof(T)), may_alias));
};

template <class T, int N>
using Vec = typename Lane<T, N>::type;

template <class T, int N>
inline Vec<T, N> load(const T* p) {
  return *reinterpret_cast<const typename Lane<T, N>::loose*>(p);
}

template <class T, int N>
inline void store(T* p, Vec<T, N> v) {
  *reinterpret_cast<typename Lane<T, N>::loose*>(p) = v;
}

template <class T, int N>
inline Vec<T, N> all(T x) {
  return Vec<T, N>{} + x;
}

inline int64_t rounded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
