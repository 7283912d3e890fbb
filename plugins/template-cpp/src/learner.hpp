// The learner around a rule: a fully connected tanh network with softmax outputs, its loss, and Adam.
#pragma once

#include "rule.hpp"

namespace plugin {

// Adam's hyper-parameters, then those of the rule.
const std::vector<Setting>& all_settings();

// A loss or a direction that is infinite or not a number; the learner is as it was.
struct NonFinite : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The sizes of `units` are n_0, …, n_L.
class Learner {
public:
    Learner(const std::vector<int64_t>& units, uint64_t seed, int threads, const Settings& settings,
            bool backpropagation);

    // Moves the parameters by one batch; its mean loss before that, in nats.
    double step(const Tensor& inputs, const Tensor& labels);
    // The directions of one batch, by the parameters' names.
    std::vector<Named> directions(const Tensor& inputs, const Tensor& labels);
    // The logits (B, n_L).
    Tensor predict(const Tensor& inputs) const;
    // Everything that training changes or that the seed decided, in one order for the learner's life. The
    // tensors are contiguous and the learner's own: writing to them is restoring.
    const std::vector<Named>& state() const { return state_; }

private:
    struct Moments {
        Tensor first, second;
    };

    Pass forward(const Tensor& inputs, const Tensor& labels, double& loss) const;
    std::vector<Layer> evaluate(const Pass& pass);
    void adam(const std::vector<Layer>& directions);

    double learning_rate_, beta1_, beta2_, epsilon_;
    std::vector<Layer> layers_;
    std::vector<Moments> moments_;  // of each layer's weight, then its bias
    Tensor steps_;                  // Adam's t of the last step, a scalar int64
    std::unique_ptr<Rule> rule_;
    std::vector<Named> state_;
};

}  // namespace plugin
