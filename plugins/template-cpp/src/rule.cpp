// Direct random target projection: the rule, and the only file that another rule changes.
//
// Backpropagation sends the output's error back through every layer. This rule sends nothing back: each
// hidden layer is told the right answer through a fixed random matrix of its own. With y* the target (a row
// of zeros with a one at the right class) and B the number of samples in a batch:
//
//     δ_L = e/B                           the output layer: the true gradient
//     δ_l = (y* B_lᵀ / B) ∘ tanh'(a_l)    every hidden layer, l < L

#include "rule.hpp"

namespace plugin {

const Description& description() {
    static const Description it{
        .summary = "Direct random target projection: hidden layers learn from the target alone.",
        .reference = "Frenkel, Lefebvre & Bol (2021), Learning without feedback: fixed random learning "
                     "signals allow for feedforward training of deep neural networks, Frontiers in "
                     "Neuroscience 15",
        // Beside Adam's `learning_rate`, `beta1`, `beta2` and `epsilon`, which every rule has.
        .settings = {
            {.name = "projection_scale",
             .description = "Multiplies the random matrices.",
             .initial = 1.0,
             .above = 0.0},
        },
    };
    return it;
}

namespace {

class TargetProjection final : public Rule {
public:
    TargetProjection(Setup& setup, const Settings& settings) {
        for (int64_t l = 1; l < setup.depth(); ++l) {
            projections_.push_back(setup.direct_feedback(l, settings["projection_scale"]));
        }
    }

    void directions(const Pass& pass, Directions& out) override {
        out.gradient(pass.depth(), pass.output_delta());  // δ_L = e/B
        for (int64_t l = 1; l < pass.depth(); ++l) {
            const Tensor& projection = projections_.at(static_cast<size_t>(l - 1));
            const Tensor signal = at::mm(pass.target(), projection.t()) / static_cast<double>(pass.samples());
            out.gradient(l, pass.tanh_derivative(signal, l));
        }
    }

private:
    std::vector<Tensor> projections_;  // B_l for l = 1..L-1, of shape (n_l, n_L)
};

}  // namespace

std::unique_ptr<Rule> make_rule(Setup& setup, const Settings& settings) {
    return std::make_unique<TargetProjection>(setup, settings);
}

}  // namespace plugin
