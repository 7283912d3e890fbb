#include "learner.hpp"

#include <ATen/Parallel.h>

#include <cmath>
#include <utility>

namespace plugin {

namespace {

// SplitMix64 (Steele, Lea & Flood 2014): the value that follows `state`.
uint64_t mix(uint64_t state) {
    state += 0x9e3779b97f4a7c15;
    state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
    return state ^ (state >> 31);
}

// The place where the numbers of a tensor begin: decided by the seed and the name alone (FNV-1a).
uint64_t stream(uint64_t seed, std::string_view name) {
    uint64_t hash = 0xcbf29ce484222325;
    for (const char c : name) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    return mix(hash ^ mix(seed));
}

// Uniform on ±√(6 / (in + out)) (Glorot & Bengio 2010).
double glorot(int64_t in, int64_t out) { return std::sqrt(6.0 / static_cast<double>(in + out)); }

std::string parameter(int64_t l, const char* which) {
    return "forward." + std::to_string(l) + "." + which;
}

// The gradient of the loss, for comparisons of a rule with it.
class Backpropagation final : public Rule {
public:
    void directions(const Pass& pass, Directions& out) override {
        Tensor delta = pass.output_delta();
        for (int64_t l = pass.depth(); l >= 1; --l) {
            out.gradient(l, delta);
            if (l > 1) {
                delta = pass.tanh_derivative(at::mm(delta, pass.layer(l).weight), l - 1);
            }
        }
    }
};

// Zero for a subnormal number, which arithmetic is several times slower with.
float flushed(float value) { return std::abs(value) < std::numeric_limits<float>::min() ? 0.0f : value; }

}  // namespace

Settings::Settings(const std::vector<Setting>& settings, std::vector<double> values)
    : settings_(settings), values_(std::move(values)) {
    TORCH_CHECK(settings_.size() == values_.size(), "a hyper-parameter has no value");
}

double Settings::operator[](std::string_view name) const {
    for (size_t at = 0; at < settings_.size(); ++at) {
        if (settings_[at].name == name) {
            return values_[at];
        }
    }
    throw std::out_of_range("there is no hyper-parameter " + std::string(name));
}

Setup::Setup(std::vector<int64_t> units, uint64_t seed) : units_(std::move(units)), seed_(seed) {}

Tensor Setup::uniform(const std::string& name, at::IntArrayRef shape, double limit) {
    for (const Named& other : tensors_) {
        TORCH_CHECK(other.name != name, "two tensors have the name ", name);
    }
    Tensor tensor = at::zeros(shape, at::kFloat);
    const uint64_t first = stream(seed_, name);
    float* values = tensor.data_ptr<float>();
    for (int64_t at = 0; at < tensor.numel() && limit != 0; ++at) {
        // Multiples of 2⁻²³ on [-1, 1), which are exact.
        const uint64_t bits = mix(first + static_cast<uint64_t>(at) * 0x9e3779b97f4a7c15) >> 40;
        const float unit = static_cast<float>(static_cast<int64_t>(bits) - (1 << 23)) / (1 << 23);
        values[at] = unit * static_cast<float>(limit);
    }
    tensors_.push_back({name, tensor});
    return tensor;
}

Tensor Setup::direct_feedback(int64_t l, double scale) {
    const int64_t in = units(depth());
    const int64_t out = units(l);
    return uniform("feedback." + std::to_string(l) + ".weight", {out, in}, scale * glorot(in, out));
}

void Directions::gradient(int64_t l, const Tensor& delta) {
    TORCH_CHECK(delta.sizes() == pass_.h(l).sizes(), "the delta of layer ", l, " has the shape ",
                delta.sizes(), ", expected ", pass_.h(l).sizes());
    set(l, at::mm(delta.t(), pass_.h(l - 1)), delta.sum(0));
}

void Directions::set(int64_t l, const Tensor& weight, const Tensor& bias) {
    const Layer& layer = pass_.layer(l);
    const auto checked = [l](const Tensor& direction, const Tensor& parameter) {
        TORCH_CHECK(direction.defined() && direction.sizes() == parameter.sizes(), "a direction of layer ",
                    l, " has another shape than its parameter, ", parameter.sizes());
        return direction.detach().to(at::kCPU, at::kFloat).contiguous();
    };
    layers_[static_cast<size_t>(l - 1)] = {checked(weight, layer.weight), checked(bias, layer.bias)};
}

void Directions::none(int64_t l) {
    const Layer& layer = pass_.layer(l);
    set(l, at::zeros_like(layer.weight), at::zeros_like(layer.bias));
}

const std::vector<Layer>& Directions::finish() const {
    for (size_t at = 0; at < layers_.size(); ++at) {
        TORCH_CHECK(layers_[at].weight.defined(), "the rule wrote no direction for layer ", at + 1);
    }
    return layers_;
}

const std::vector<Setting>& all_settings() {
    static const std::vector<Setting> all = [] {
        std::vector<Setting> settings{
            {.name = "learning_rate", .description = "Step size of Adam.", .initial = 1e-3, .above = 0},
            {.name = "beta1",
             .description = "Decay of Adam's first moment.",
             .initial = 0.9,
             .minimum = 0,
             .below = 1},
            {.name = "beta2",
             .description = "Decay of Adam's second moment.",
             .initial = 0.999,
             .minimum = 0,
             .below = 1},
            {.name = "epsilon",
             .description = "Added to the root of Adam's second moment.",
             .initial = 1e-8,
             .above = 0},
        };
        const std::vector<Setting>& own = description().settings;
        settings.insert(settings.end(), own.begin(), own.end());
        return settings;
    }();
    return all;
}

Learner::Learner(const std::vector<int64_t>& units, uint64_t seed, int threads, const Settings& settings,
                 bool backpropagation)
    : learning_rate_(settings["learning_rate"]),
      beta1_(settings["beta1"]),
      beta2_(settings["beta2"]),
      epsilon_(settings["epsilon"]),
      steps_(at::zeros({}, at::kLong)) {
    at::set_num_threads(threads);
    Setup setup(units, seed);
    for (int64_t l = 1; l <= setup.depth(); ++l) {
        const int64_t in = setup.units(l - 1);
        const int64_t out = setup.units(l);
        const Tensor weight = setup.uniform(parameter(l, "weight"), {out, in}, glorot(in, out));
        layers_.push_back({weight, setup.uniform(parameter(l, "bias"), {out}, 0)});
    }
    if (backpropagation) {
        rule_ = std::make_unique<Backpropagation>();
    } else {
        rule_ = make_rule(setup, settings);
    }
    state_ = setup.tensors();
    for (int64_t l = 1; l <= setup.depth(); ++l) {
        const Layer& layer = layers_[static_cast<size_t>(l - 1)];
        for (const auto& [which, value] : {std::pair{"weight", layer.weight}, std::pair{"bias", layer.bias}}) {
            moments_.push_back({at::zeros_like(value), at::zeros_like(value)});
            const std::string name = "optimiser." + parameter(l, which);
            state_.push_back({name + ".first_moment", moments_.back().first});
            state_.push_back({name + ".second_moment", moments_.back().second});
        }
    }
    state_.push_back({"optimiser.forward.step", steps_});
}

Tensor Learner::predict(const Tensor& inputs) const {
    Tensor h = inputs;
    for (size_t at = 0; at < layers_.size(); ++at) {
        h = at::addmm(layers_[at].bias, h, layers_[at].weight.t());
        if (at + 1 < layers_.size()) {
            h.tanh_();
        }
    }
    return h;
}

Pass Learner::forward(const Tensor& inputs, const Tensor& labels, double& loss) const {
    std::vector<Tensor> h{inputs};
    for (size_t at = 0; at < layers_.size(); ++at) {
        Tensor a = at::addmm(layers_[at].bias, h.back(), layers_[at].weight.t());
        if (at + 1 < layers_.size()) {
            h.push_back(a.tanh_());
        } else {
            const Tensor logarithms = at::log_softmax(a, 1);
            loss = -logarithms.gather(1, labels.unsqueeze(1)).mean().item<double>();
            h.push_back(logarithms.exp());
        }
    }
    if (!std::isfinite(loss)) {
        throw NonFinite("the loss of the batch is not finite");
    }
    Tensor target = at::zeros_like(h.back());
    target.scatter_(1, labels.unsqueeze(1), 1.0);
    return Pass(layers_, std::move(h), std::move(target));
}

std::vector<Layer> Learner::evaluate(const Pass& pass) {
    Directions out(pass);
    rule_->directions(pass, out);
    const std::vector<Layer>& directions = out.finish();
    for (size_t at = 0; at < directions.size(); ++at) {
        for (const Tensor& direction : {directions[at].weight, directions[at].bias}) {
            if (!at::isfinite(direction).all().item<bool>()) {
                throw NonFinite("a direction of layer " + std::to_string(at + 1) + " is not finite");
            }
        }
    }
    return directions;
}

std::vector<Named> Learner::directions(const Tensor& inputs, const Tensor& labels) {
    double loss = 0;
    const Pass pass = forward(inputs, labels, loss);
    std::vector<Named> named;
    int64_t l = 0;
    for (const Layer& layer : evaluate(pass)) {
        ++l;
        named.push_back({parameter(l, "weight"), layer.weight});
        named.push_back({parameter(l, "bias"), layer.bias});
    }
    return named;
}

double Learner::step(const Tensor& inputs, const Tensor& labels) {
    double loss = 0;
    const Pass pass = forward(inputs, labels, loss);
    adam(evaluate(pass));
    return loss;
}

// Adam (Kingma & Ba 2015) in PyTorch's bias-corrected form.
void Learner::adam(const std::vector<Layer>& directions) {
    int64_t& t = *steps_.data_ptr<int64_t>();
    ++t;
    const auto power = static_cast<double>(t);
    const auto first_rate = static_cast<float>(1 - beta1_);
    const auto second_keep = static_cast<float>(beta2_);
    const auto second_rate = static_cast<float>(1 - beta2_);
    const auto step_size = static_cast<float>(learning_rate_ / (1 - std::pow(beta1_, power)));
    const auto root_correction = static_cast<float>(std::sqrt(1 - std::pow(beta2_, power)));
    const auto epsilon = static_cast<float>(epsilon_);
    for (size_t at = 0; at < moments_.size(); ++at) {
        const bool is_weight = at % 2 == 0;
        const Layer& layer = layers_[at / 2];
        const Layer& direction = directions[at / 2];
        const Tensor& parameters = is_weight ? layer.weight : layer.bias;
        float* const value = parameters.data_ptr<float>();
        const float* const g = (is_weight ? direction.weight : direction.bias).const_data_ptr<float>();
        float* const m = moments_[at].first.data_ptr<float>();
        float* const v = moments_[at].second.data_ptr<float>();
        // Every element on its own, so the number of threads changes no bit.
        at::parallel_for(0, parameters.numel(), 1 << 15, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                m[i] = flushed(m[i] + first_rate * (g[i] - m[i]));
                v[i] = flushed(second_keep * v[i] + second_rate * (g[i] * g[i]));
                value[i] -= step_size * (m[i] / (std::sqrt(v[i]) / root_correction + epsilon));
            }
        });
    }
}

}  // namespace plugin
