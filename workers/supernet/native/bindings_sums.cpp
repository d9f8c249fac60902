// Weighted sums, statistics and pooling as operations of torch: torch.ops.cellar.{total, moments, absorb, pool}.
//
// A gradient that is itself to be differentiated is made of torch's own operations: each Function keeps what it was
// given, and does the same once more out of those.
#include "bindings.h"

namespace {

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

TORCH_LIBRARY_FRAGMENT(cellar, m) {
  m.def(
      "total(Tensor w, Tensor[] z, Tensor[] statistics, Tensor[] weights, Tensor[] biases, bool fixed, float eps) "
      "-> Tensor",
      &total_of);
  m.def("moments(Tensor x) -> Tensor", &moments);
  m.def("absorb(Tensor[] measured, Tensor[] means, Tensor[] variances, float momentum, int count) -> ()", &absorb);
  m.def("pool(Tensor x, bool maximum, int kernel, int stride, int pad) -> Tensor", &pool);
}
