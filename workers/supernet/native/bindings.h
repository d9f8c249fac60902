// What the bindings of all kernels have in common.
#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "kernels.h"

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;
using Tensors = std::vector<Tensor>;
using Numbers = std::vector<int64_t>;

namespace {

Tensor laid(const Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

// Each part of [0, n), on a thread of its own.
template <class Work>
void parts(int64_t n, Work work) {
  int64_t threads = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), n));
  at::parallel_for(0, threads, 1, [&](int64_t from, int64_t to) {
    for (int64_t t = from; t < to; t++) work(t, n * t / threads, n * (t + 1) / threads);
  });
}

int64_t threads() { return at::get_num_threads(); }

template <class T>
Tensor stated(const Moments<T>& found, const Tensor& like) {  // (2, C): mean and variance
  int64_t channels = found.mean.size();
  Tensor made = at::empty({2, channels}, like.options());
  T* p = made.data_ptr<T>();
  for (int64_t c = 0; c < channels; c++) p[c] = found.mean[c], p[channels + c] = found.squares[c] / found.count;
  return made;
}

// Scale and shift of a normalisation: y = x * scale + shift.
template <class T>
struct Affine {
  std::vector<T> scale, shift;
  std::vector<double> inverse;  // 1 / sqrt(variance + eps)
  Affine(const Tensor& statistics, const Tensor& weight, const Tensor& bias, double eps) {
    int64_t channels = statistics.size(1);
    const T* p = statistics.data_ptr<T>();
    const T* w = weight.defined() && weight.numel() ? weight.data_ptr<T>() : nullptr;
    const T* b = bias.defined() && bias.numel() ? bias.data_ptr<T>() : nullptr;
    for (int64_t c = 0; c < channels; c++) {
      inverse.push_back(1 / std::sqrt(double(p[channels + c]) + eps));
      double s = inverse[c] * (w ? double(w[c]) : 1);
      scale.push_back(s), shift.push_back((b ? double(b[c]) : 0) - s * p[c]);
    }
  }
};

bool there(const Tensor& x) { return x.defined() && x.numel() > 0; }

Tensor normalised(const Tensor& x, const Tensor& statistics, const Tensor& weight, const Tensor& bias, bool fixed,
                  double eps) {
  std::optional<Tensor> w, b, mean, variance;
  if (there(weight)) w = weight, b = bias;
  if (fixed) mean = statistics[0], variance = statistics[1];
  return at::batch_norm(x, w, b, mean, variance, !fixed, 0.0, eps, false);
}

// Gradients by torch, of outputs that were made of `inputs`, themselves differentiable; undefined where unused.
variable_list differentiable(const variable_list& outputs, const variable_list& inputs, const variable_list& gradients) {
  variable_list made, along;
  for (size_t i = 0; i < outputs.size(); i++)
    if (gradients[i].defined()) made.push_back(outputs[i]), along.push_back(gradients[i]);
  variable_list asked;
  for (auto& x : inputs)
    if (x.defined() && x.requires_grad()) asked.push_back(x);
  auto found = torch::autograd::grad(made, asked, along, true, true, true);
  variable_list all;
  size_t n = 0;
  for (auto& x : inputs) all.push_back(x.defined() && x.requires_grad() ? found[n++] : Tensor());
  return all;
}

variable_list aliases(const variable_list& tensors) {  // so that what one was made of is not reached through another
  variable_list found;
  for (auto& x : tensors) found.push_back(x.defined() && x.requires_grad() ? x.view_as(x) : x);
  return found;
}

}  // namespace
