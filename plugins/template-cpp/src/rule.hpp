// Between a learning rule, rule.cpp, and everything around it: the calls that the rule makes, and the two
// functions that it defines.
#pragma once

#include <ATen/ATen.h>

#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace plugin {

using at::Tensor;

inline constexpr double none = std::numeric_limits<double>::quiet_NaN();

// A hyper-parameter: a number within bounds, each of which may be left out.
struct Setting {
    const char* name;
    const char* description;
    double initial;         // its value where a pipeline file sets none
    double minimum = none;  // at least
    double above = none;    // more than
    double maximum = none;  // at most
    double below = none;    // less than
};

// Properties of a rule that users see.
struct Description {
    const char* summary;    // one sentence
    const char* reference;  // the publication
    std::vector<Setting> settings;
};

// A network that the rule cannot train; the message says why.
struct Unsupported : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// A tensor with its name in saved states.
struct Named {
    std::string name;
    Tensor tensor;
};

// The values of the hyper-parameters.
class Settings {
public:
    Settings(const std::vector<Setting>& settings, std::vector<double> values);

    // Throws for a name that is not among the settings.
    double operator[](std::string_view name) const;

private:
    const std::vector<Setting>& settings_;
    std::vector<double> values_;
};

// The maker of the tensors that a rule keeps from batch to batch. A rule keeps nothing else that changes:
// otherwise a training that was interrupted would not end with the same bits as one that was not.
class Setup {
public:
    Setup(std::vector<int64_t> units, uint64_t seed);

    // L, the number of layers.
    int64_t depth() const { return static_cast<int64_t>(units_.size()) - 1; }
    // n_l, the units of layer l; n_0 is the number of inputs.
    int64_t units(int64_t l) const { return units_.at(static_cast<size_t>(l)); }

    // A tensor that is saved and restored with the network: uniform on ±limit, or zero for a limit of 0.
    // The seed and the name decide its values.
    Tensor uniform(const std::string& name, at::IntArrayRef shape, double limit);
    // A matrix (n_l, n_L) from the output directly to layer l, in the size that weights between them have.
    Tensor direct_feedback(int64_t l, double scale);

    const std::vector<Named>& tensors() const { return tensors_; }

private:
    std::vector<int64_t> units_;
    uint64_t seed_;
    std::vector<Named> tensors_;
};

// The parameters of one layer: a = h Wᵀ + b, tanh of it except in the last layer, which has a softmax.
struct Layer {
    Tensor weight;  // (n_l, n_{l-1})
    Tensor bias;    // (n_l)
};

// The forward pass of one batch. Tensors have one row for each of the B samples. A rule only reads them.
class Pass {
public:
    Pass(const std::vector<Layer>& layers, std::vector<Tensor> h, Tensor target)
        : layers_(layers), h_(std::move(h)), target_(std::move(target)) {}

    int64_t depth() const { return static_cast<int64_t>(layers_.size()); }
    int64_t samples() const { return target_.size(0); }
    // Activations (B, n_l): h(0) the inputs, h(L) the softmax of the last layer.
    const Tensor& h(int64_t l) const { return h_.at(static_cast<size_t>(l)); }
    // One at the class of each sample, zero elsewhere (B, n_L).
    const Tensor& target() const { return target_; }
    // The gradient of the mean cross-entropy with respect to a_L: (h_L - target) / B.
    Tensor output_delta() const { return (h_.back() - target_) / static_cast<double>(samples()); }
    // The layer l, from 1.
    const Layer& layer(int64_t l) const { return layers_.at(static_cast<size_t>(l - 1)); }
    // delta ∘ tanh'(a_l), by tanh' = 1 - h².
    Tensor tanh_derivative(const Tensor& delta, int64_t l) const { return delta * (1 - h(l) * h(l)); }

private:
    const std::vector<Layer>& layers_;
    std::vector<Tensor> h_;
    Tensor target_;
};

// The directions of one batch. Parameters move against them.
class Directions {
public:
    explicit Directions(const Pass& pass) : pass_(pass), layers_(static_cast<size_t>(pass.depth())) {}

    // Layer l moves by delta (B, n_l): the weight by deltaᵀ h_{l-1}, the bias by the batch's sum.
    void gradient(int64_t l, const Tensor& delta);
    // Layer l moves by a weight (n_l, n_{l-1}) and a bias (n_l) of the rule's own.
    void set(int64_t l, const Tensor& weight, const Tensor& bias);
    // Layer l does not move.
    void none(int64_t l);

    // Throws where a layer has no direction.
    const std::vector<Layer>& finish() const;

private:
    const Pass& pass_;
    std::vector<Layer> layers_;
};

// A learning rule. `directions` is called for each batch, and must not change anything.
class Rule {
public:
    virtual ~Rule() = default;
    virtual void directions(const Pass& pass, Directions& out) = 0;
};

// Defined by the author, in rule.cpp.
const Description& description();
// Throws `Unsupported` for a network that the rule cannot train.
std::unique_ptr<Rule> make_rule(Setup& setup, const Settings& settings);

}  // namespace plugin
