// The kernels as operations of torch, with gradients: torch.ops.cellar.{branches, total, moments, absorb, pool}.
//
// A gradient that is itself to be differentiated is made of torch's own operations: each Function keeps what it was
// given, and does the same once more out of those.
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

// -- branches

template <class T>
std::vector<Branch<T>> branches_of(const Tensor& x, const Tensors& depth, const Tensors& point, const Numbers& strides,
                                   const Numbers& dilations) {
  std::vector<Branch<T>> found;
  for (size_t n = 0; n < point.size(); n++) {
    Branch<T> b;
    b.kernel = there(depth[n]) ? depth[n].size(2) : 0, b.stride = strides[n], b.dilation = dilations[n];
    b.rows = (x.size(2) - 1) / b.stride + 1, b.columns = (x.size(3) - 1) / b.stride + 1, b.width = point[n].size(0);
    b.depth = b.kernel ? depth[n].data_ptr<T>() : nullptr, b.point = point[n].data_ptr<T>();
    found.push_back(b);
  }
  return found;
}

struct Branches : torch::autograd::Function<Branches> {
  static variable_list forward(AutogradContext* ctx, Tensor x, Tensor statistics, Tensor weight, Tensor bias,
                               at::TensorList depth_given, at::TensorList point_given, bool normal, bool fixed,
                               bool relu, double eps, Numbers strides, Numbers dilations, bool measure) {
    Tensors depth, point;
    for (auto& w : depth_given) depth.push_back(w.contiguous());
    for (auto& w : point_given) point.push_back(w.contiguous());
    x = laid(x);
    variable_list kept{x, statistics, weight, bias};
    kept.insert(kept.end(), depth.begin(), depth.end()), kept.insert(kept.end(), point.begin(), point.end());
    ctx->save_for_backward(kept);
    ctx->saved_data["normal"] = normal, ctx->saved_data["fixed"] = fixed, ctx->saved_data["relu"] = relu;
    ctx->saved_data["eps"] = eps, ctx->saved_data["strides"] = strides, ctx->saved_data["dilations"] = dilations;
    variable_list out, measured;
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "branches", [&] {
      auto branches = branches_of<scalar_t>(x, depth, point, strides, dilations);
      for (auto& b : branches) {
        out.push_back(at::empty({x.size(0), b.width, b.rows, b.columns}, x.options(), at::MemoryFormat::ChannelsLast));
        b.out = out.back().data_ptr<scalar_t>();
      }
      std::optional<Affine<scalar_t>> affine;
      if (normal) affine.emplace(statistics, weight, bias, eps);
      Source<scalar_t> source{x.data_ptr<scalar_t>(), x.size(2), x.size(3), x.size(1),
                              normal ? affine->scale.data() : nullptr, normal ? affine->shift.data() : nullptr, relu};
      std::vector<std::vector<Moments<scalar_t>>> found(threads());
      parts(x.size(0), [&](int64_t t, int64_t from, int64_t to) {
        auto own = branches;
        found[t].resize(own.size());
        ::forward(source, own, from, to, measure ? &found[t] : nullptr);
      });
      if (measure)
        for (size_t n = 0; n < branches.size(); n++) {
          Moments<scalar_t> all;
          for (auto& part : found)
            if (!part.empty()) all.join(part[n]);
          measured.push_back(stated(all, x));
        }
    });
    ctx->mark_non_differentiable(measured);
    out.insert(out.end(), measured.begin(), measured.end());
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    auto saved = ctx->get_saved_variables();
    bool normal = ctx->saved_data["normal"].toBool(), fixed = ctx->saved_data["fixed"].toBool();
    bool relu = ctx->saved_data["relu"].toBool();
    double eps = ctx->saved_data["eps"].toDouble();
    auto strides = ctx->saved_data["strides"].toIntVector(), dilations = ctx->saved_data["dilations"].toIntVector();
    size_t count = strides.size();
    variable_list answer(4 + 2 * count + 7);
    if (at::GradMode::is_enabled()) {
      auto inputs = aliases(saved);
      Tensor x = inputs[0];
      if (normal) x = normalised(x, inputs[1], inputs[2], inputs[3], fixed, eps);
      if (relu) x = at::relu(x);
      variable_list outputs;
      for (size_t n = 0; n < count; n++) {
        Tensor y = x, w = inputs[4 + n];
        int64_t step = strides[n];
        if (there(w)) {
          int64_t pad = w.size(2) / 2 * dilations[n];
          y = at::conv2d(y, w, {}, {step, step}, {pad, pad}, {dilations[n], dilations[n]}, y.size(1));
        } else if (step > 1)
          y = y.slice(2, 0, y.size(2), step).slice(3, 0, y.size(3), step);
        outputs.push_back(at::conv2d(y, inputs[4 + count + n]));
      }
      auto found = differentiable(outputs, inputs, gradients);
      std::copy(found.begin(), found.end(), answer.begin());
      return answer;
    }
    Tensor x = saved[0], statistics = saved[1], weight = saved[2], bias = saved[3];
    Tensors depth(saved.begin() + 4, saved.begin() + 4 + count), point(saved.begin() + 4 + count, saved.end());
    bool on = ctx->needs_input_grad(0), scaled = normal && there(weight) && ctx->needs_input_grad(2), learns = false;
    for (size_t n = 0; n < 2 * count; n++) learns = learns || ctx->needs_input_grad(4 + n);
    Tensors used, used_depth, used_point;  // branches that a gradient came to
    Numbers used_strides, used_dilations, which;
    for (size_t n = 0; n < count; n++)
      if (gradients[n].defined()) {
        used.push_back(laid(gradients[n])), which.push_back(n);
        used_depth.push_back(depth[n]), used_point.push_back(point[n]);
        used_strides.push_back(strides[n]), used_dilations.push_back(dilations[n]);
      }
    if (used.empty()) return answer;
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "branches_backward", [&] {
      auto branches = branches_of<scalar_t>(x, used_depth, used_point, used_strides, used_dilations);
      for (size_t n = 0; n < branches.size(); n++) branches[n].gradient = used[n].data_ptr<scalar_t>();
      std::optional<Affine<scalar_t>> affine;
      if (normal) affine.emplace(statistics, weight, bias, eps);
      Source<scalar_t> source{x.data_ptr<scalar_t>(), x.size(2), x.size(3), x.size(1),
                              normal ? affine->scale.data() : nullptr, normal ? affine->shift.data() : nullptr, relu};
      Tensor dx = on || scaled ? at::empty_like(x, at::MemoryFormat::ChannelsLast) : Tensor();
      scalar_t* p = dx.defined() ? dx.data_ptr<scalar_t>() : nullptr;
      const scalar_t* centre = normal ? statistics.data_ptr<scalar_t>() : nullptr;
      int64_t channels = x.size(1);
      std::vector<std::vector<double>> sums(threads());
      std::vector<std::vector<Weighted<scalar_t>>> found(threads());
      parts(x.size(0), [&](int64_t t, int64_t from, int64_t to) {
        if (normal) sums[t].assign(2 * channels, 0);
        if (learns) found[t].resize(branches.size());
        ::backward(source, branches, from, to, p, centre, normal && p ? sums[t].data() : nullptr,
                   learns ? &found[t] : nullptr);
      });
      if (learns)
        for (size_t n = 0; n < branches.size(); n++) {
          auto gathered = [&](const Tensor& like, auto member) {
            Tensor made = at::zeros_like(like, at::MemoryFormat::Contiguous);
            scalar_t* to = made.template data_ptr<scalar_t>();
            for (auto& part : found)
              if (!part.empty())
                for (size_t i = 0; i < (part[n].*member).size(); i++) to[i] += (part[n].*member)[i];
            return made;
          };
          int64_t at = which[n];
          if (there(depth[at])) answer[4 + at] = gathered(depth[at], &Weighted<scalar_t>::depth);
          answer[4 + count + at] = gathered(point[at], &Weighted<scalar_t>::point);
        }
      if (normal && p) {
        std::vector<double> all(2 * channels);
        for (auto& part : sums)
          for (size_t i = 0; i < part.size(); i++) all[i] += part[i];
        if (scaled) {
          Tensor dw = at::empty_like(weight), db = at::empty_like(weight);
          for (int64_t c = 0; c < channels; c++) {
            dw.data_ptr<scalar_t>()[c] = all[channels + c] * affine->inverse[c];
            db.data_ptr<scalar_t>()[c] = all[c];
          }
          answer[2] = dw, answer[3] = db;
        }
        double places = double(x.numel() / channels);
        std::vector<scalar_t> a(channels), b(channels), k(channels);
        for (int64_t c = 0; c < channels; c++) {
          double s = affine->scale[c], r = affine->inverse[c];
          a[c] = s;
          if (fixed) continue;
          double turn = -s * r * r * all[channels + c] / places;
          b[c] = turn, k[c] = -s * all[c] / places - turn * centre[c];
        }
        std::vector<const scalar_t*> z{x.data_ptr<scalar_t>()};
        std::vector<scalar_t*> dz{p};
        parts(x.numel() / channels, [&](int64_t, int64_t from, int64_t to) {
          spread<scalar_t>(p, z, dz, a.data(), b.data(), k.data(), channels, from, to);
        });
      }
      if (on) answer[0] = dx;
    });
    return answer;
  }
};

Tensors branches(const Tensor& x, const Tensor& statistics, const Tensor& weight, const Tensor& bias, Tensors depth,
                 Tensors point, bool fixed, bool relu, double eps, Numbers strides, Numbers dilations, bool measure) {
  return Branches::apply(x, statistics, weight, bias, at::TensorList(depth), at::TensorList(point),
                         statistics.numel() > 0, fixed, relu, eps, strides, dilations, measure);
}

// -- sums

template <class T>
std::vector<const T*> pointers(const Tensors& tensors) {
  std::vector<const T*> found;
  for (auto& x : tensors) found.push_back(x.data_ptr<T>());
  return found;
}

struct Total : torch::autograd::Function<Total> {
  static Tensor forward(AutogradContext* ctx, Tensor w, at::TensorList terms, at::TensorList statistics,
                        at::TensorList weights, at::TensorList biases, bool fixed, double eps) {
    Tensors z;
    for (auto& x : terms) z.push_back(laid(x));
    w = w.contiguous();
    variable_list kept{w};
    kept.insert(kept.end(), z.begin(), z.end());
    for (auto list : {statistics, weights, biases}) kept.insert(kept.end(), list.begin(), list.end());
    ctx->save_for_backward(kept);
    ctx->saved_data["fixed"] = fixed, ctx->saved_data["eps"] = eps;
    int64_t channels = z[0].size(1), count = z.size();
    Tensor y = at::empty_like(z[0], at::MemoryFormat::ChannelsLast);
    AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "total", [&] {
      std::vector<scalar_t> scale(count * channels), shift(channels);
      std::vector<double> shifts(channels);
      for (int64_t o = 0; o < count; o++) {
        double by = w.data_ptr<scalar_t>()[o];
        if (!there(statistics[o])) {
          std::fill_n(scale.begin() + o * channels, channels, scalar_t(by));
          continue;
        }
        Affine<scalar_t> affine(statistics[o], weights[o], biases[o], eps);
        for (int64_t c = 0; c < channels; c++)
          scale[o * channels + c] = by * affine.scale[c], shifts[c] += by * affine.shift[c];
      }
      std::copy(shifts.begin(), shifts.end(), shift.begin());
      parts(y.numel() / channels, [&](int64_t, int64_t from, int64_t to) {
        ::total<scalar_t>(pointers<scalar_t>(z), scale.data(), shift.data(), channels, from, to,
                          y.data_ptr<scalar_t>());
      });
    });
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    auto saved = ctx->get_saved_variables();
    bool fixed = ctx->saved_data["fixed"].toBool();
    double eps = ctx->saved_data["eps"].toDouble();
    int64_t count = (saved.size() - 1) / 4;
    variable_list answer(1 + 4 * count + 2);
    if (!gradients[0].defined()) return answer;
    if (at::GradMode::is_enabled()) {
      auto inputs = aliases(saved);
      auto by = inputs[0].unbind(0);
      Tensor sum;
      for (int64_t o = 0; o < count; o++) {
        Tensor x = inputs[1 + o], statistics = inputs[1 + count + o];
        if (there(statistics))
          x = normalised(x, statistics, inputs[1 + 2 * count + o], inputs[1 + 3 * count + o], fixed, eps);
        x = x * by[o];
        sum = sum.defined() ? sum + x : x;
      }
      auto found = differentiable({sum}, inputs, gradients);
      std::copy(found.begin(), found.end(), answer.begin());
      return answer;
    }
    Tensor g = laid(gradients[0]), w = saved[0];
    Tensors z(saved.begin() + 1, saved.begin() + 1 + count);
    int64_t channels = g.size(1), places = g.numel() / channels;
    AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "total_backward", [&] {
      std::vector<std::optional<Affine<scalar_t>>> affines(count);
      std::vector<scalar_t> centre(count * channels);
      for (int64_t o = 0; o < count; o++) {
        Tensor statistics = saved[1 + count + o];
        if (!there(statistics)) continue;
        affines[o].emplace(statistics, saved[1 + 2 * count + o], saved[1 + 3 * count + o], eps);
        std::copy_n(statistics.data_ptr<scalar_t>(), channels, centre.begin() + o * channels);
      }
      std::vector<std::vector<double>> found(threads());
      parts(places, [&](int64_t t, int64_t from, int64_t to) {
        found[t].assign((count + 1) * channels, 0);
        dots<scalar_t>(g.data_ptr<scalar_t>(), pointers<scalar_t>(z), centre.data(), channels, from, to,
                       found[t].data());
      });
      std::vector<double> sums((count + 1) * channels);
      for (auto& part : found)
        for (size_t i = 0; i < part.size(); i++) sums[i] += part[i];
      const double* ones = sums.data() + count * channels;
      std::vector<scalar_t> a(count * channels), b(count * channels), k(count * channels);
      Tensor dw = at::empty_like(w);
      std::vector<scalar_t*> dz(count, nullptr);
      for (int64_t o = 0; o < count; o++) {
        double by = w.data_ptr<scalar_t>()[o], along = 0;
        auto& affine = affines[o];
        Tensor weight = saved[1 + 2 * count + o], bias = saved[1 + 3 * count + o];
        Tensor dweight, dbias;
        if (affine && there(weight)) dweight = at::empty_like(weight), dbias = at::empty_like(weight);
        for (int64_t c = 0; c < channels; c++) {
          double dot = sums[o * channels + c], s = affine ? double(affine->scale[c]) : 1;
          along += s * dot;
          a[o * channels + c] = by * s;
          if (!affine) continue;
          double r = affine->inverse[c], middle = centre[o * channels + c];
          along += (affine->shift[c] + s * middle) * ones[c];  // the bias
          if (dweight.defined()) {
            dweight.data_ptr<scalar_t>()[c] = by * r * dot;
            dbias.data_ptr<scalar_t>()[c] = by * ones[c];
          }
          if (fixed) continue;
          double turn = -by * s * r * r * dot / places;
          b[o * channels + c] = turn, k[o * channels + c] = -by * s * ones[c] / places - turn * middle;
        }
        dw.data_ptr<scalar_t>()[o] = along;
        if (dweight.defined()) answer[1 + 2 * count + o] = dweight, answer[1 + 3 * count + o] = dbias;
        if (ctx->needs_input_grad(1 + o)) {
          answer[1 + o] = at::empty_like(g, at::MemoryFormat::ChannelsLast);
          dz[o] = answer[1 + o].data_ptr<scalar_t>();
        }
      }
      answer[0] = dw;
      parts(places, [&](int64_t, int64_t from, int64_t to) {
        spread<scalar_t>(g.data_ptr<scalar_t>(), pointers<scalar_t>(z), dz, a.data(), b.data(), k.data(), channels,
                         from, to);
      });
    });
    return answer;
  }
};

Tensor total_of(const Tensor& w, Tensors z, Tensors statistics, Tensors weights, Tensors biases, bool fixed, double eps) {
  return Total::apply(w, at::TensorList(z), at::TensorList(statistics), at::TensorList(weights),
                      at::TensorList(biases), fixed, eps);
}

Tensor moments(const Tensor& given) {
  at::NoGradGuard off;
  Tensor x = laid(given), found;
  int64_t channels = x.size(1);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "moments", [&] {
    std::vector<Moments<scalar_t>> each(threads());
    parts(x.numel() / channels, [&](int64_t t, int64_t from, int64_t to) {
      each[t] = moments_of<scalar_t>(x.data_ptr<scalar_t>(), channels, from, to);
    });
    Moments<scalar_t> all;
    for (auto& part : each) all.join(part);
    found = stated(all, x);
  });
  return found;
}

// Running statistics: mean and unbiased variance, `momentum` of the way towards what was measured.
void absorb(Tensors measured, Tensors means, Tensors variances, double momentum, int64_t count) {
  double unbiased = count > 1 ? double(count) / double(count - 1) : 1;
  for (size_t n = 0; n < measured.size(); n++) {
    int64_t channels = means[n].numel();
    AT_DISPATCH_FLOATING_TYPES(means[n].scalar_type(), "absorb", [&] {
      const scalar_t* p = measured[n].data_ptr<scalar_t>();
      scalar_t *mean = means[n].data_ptr<scalar_t>(), *variance = variances[n].data_ptr<scalar_t>();
      for (int64_t c = 0; c < channels; c++) {
        mean[c] = momentum * p[c] + (1 - momentum) * mean[c];
        variance[c] = momentum * p[channels + c] * unbiased + (1 - momentum) * variance[c];
      }
    });
    means[n].unsafeGetTensorImpl()->bump_version();
    variances[n].unsafeGetTensorImpl()->bump_version();
  }
}

// -- pooling

Window window_of(const Tensor& x, int64_t kernel, int64_t stride, int64_t pad) {
  auto out = [&](int64_t extent) { return (extent + 2 * pad - kernel) / stride + 1; };
  return {x.size(2), x.size(3), x.size(1), out(x.size(2)), out(x.size(3)), kernel, stride, pad};
}

struct Pool : torch::autograd::Function<Pool> {
  static Tensor forward(AutogradContext* ctx, Tensor x, bool maximum, int64_t kernel, int64_t stride, int64_t pad) {
    Tensor given = x;
    x = laid(x);
    Window w = window_of(x, kernel, stride, pad);
    Tensor y = at::empty({x.size(0), w.channels, w.rows, w.columns}, x.options(), at::MemoryFormat::ChannelsLast);
    Tensor taken = maximum ? at::empty({y.numel()}, x.options().dtype(at::kByte)) : Tensor();
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "pool", [&] {
      parts(x.size(0), [&](int64_t, int64_t from, int64_t to) {
        if (maximum)
          largest<scalar_t>(w, x.data_ptr<scalar_t>(), from, to, y.data_ptr<scalar_t>(), taken.data_ptr<uint8_t>());
        else
          average<scalar_t>(w, x.data_ptr<scalar_t>(), from, to, y.data_ptr<scalar_t>());
      });
    });
    ctx->save_for_backward({given, taken});
    ctx->saved_data["maximum"] = maximum, ctx->saved_data["window"] = Numbers{kernel, stride, pad};
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    auto saved = ctx->get_saved_variables();
    bool maximum = ctx->saved_data["maximum"].toBool();
    auto n = ctx->saved_data["window"].toIntVector();
    Tensor x = saved[0], taken = saved[1];
    if (!gradients[0].defined()) return variable_list(5);
    if (at::GradMode::is_enabled()) {
      auto inputs = aliases({x});
      Tensor y = maximum ? at::max_pool2d(inputs[0], {n[0], n[0]}, {n[1], n[1]}, {n[2], n[2]})
                         : at::avg_pool2d(inputs[0], {n[0], n[0]}, {n[1], n[1]}, {n[2], n[2]}, false, false);
      return {differentiable({y}, inputs, gradients)[0], {}, {}, {}, {}};
    }
    Window w = window_of(x, n[0], n[1], n[2]);
    Tensor g = laid(gradients[0]), dx = at::empty(x.sizes(), x.options(), at::MemoryFormat::ChannelsLast);
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "pool_backward", [&] {
      parts(x.size(0), [&](int64_t, int64_t from, int64_t to) {
        if (maximum)
          largest_back<scalar_t>(w, g.data_ptr<scalar_t>(), taken.data_ptr<uint8_t>(), from, to,
                                 dx.data_ptr<scalar_t>());
        else
          average_back<scalar_t>(w, g.data_ptr<scalar_t>(), from, to, dx.data_ptr<scalar_t>());
      });
    });
    return {dx, {}, {}, {}, {}};
  }
};

Tensor pool(const Tensor& x, bool maximum, int64_t kernel, int64_t stride, int64_t pad) {
  return Pool::apply(x, maximum, kernel, stride, pad);
}

}  // namespace

TORCH_LIBRARY(cellar, m) {
  m.def(
      "branches(Tensor x, Tensor statistics, Tensor weight, Tensor bias, Tensor[] depth, Tensor[] point, bool fixed, "
      "bool relu, float eps, int[] strides, int[] dilations, bool measure) -> Tensor[]",
      &branches);
  m.def(
      "total(Tensor w, Tensor[] z, Tensor[] statistics, Tensor[] weights, Tensor[] biases, bool fixed, float eps) "
      "-> Tensor",
      &total_of);
  m.def("moments(Tensor x) -> Tensor", &moments);
  m.def("absorb(Tensor[] measured, Tensor[] means, Tensor[] variances, float momentum, int count) -> ()", &absorb);
  m.def("pool(Tensor x, bool maximum, int kernel, int stride, int pad) -> Tensor", &pool);
}
