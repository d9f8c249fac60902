// Chains of convolutions as an operation of torch, with gradients: torch.ops.cellar.branches.
//
// A gradient that is itself to be differentiated is made of torch's own operations: each Function keeps what it was
// given, and does the same once more out of those.
#include "bindings.h"

namespace {

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

}  // namespace

TORCH_LIBRARY_FRAGMENT(cellar, m) {
  m.def(
      "branches(Tensor x, Tensor statistics, Tensor weight, Tensor bias, Tensor[] depth, Tensor[] point, bool fixed, "
      "bool relu, float eps, int[] strides, int[] dilations, bool measure) -> Tensor[]",
      &branches);
}
