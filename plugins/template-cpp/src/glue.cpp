// The C functions that glue.rs calls. None lets an exception through: `noexcept` ends the process if one
// ever tried, which is defined behaviour, and `guarded` makes a failure of each.

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstring>

#include "learner.hpp"

namespace {

using namespace plugin;

// Codes of the boundary.
enum Code : uint32_t { other = 0, unsupported = 3, non_finite = 7 };

}  // namespace

extern "C" {

// Both as glue.rs declares them.
struct Failure {
    uint32_t code;
    char message[512];  // ends with a zero byte
};

struct TensorInfo {
    const char* name;
    const int64_t* shape;
    size_t dimensions;
    void* data;
    size_t bytes;
    bool is_integer;  // int64, otherwise float32
};

struct RuleInfo {
    const char* summary;
    const char* reference;
    const Setting* settings;
    size_t count;
};
}

// A learner, and the directions that it gave last, which glue.rs reads before it makes another call.
struct Handle {
    Learner learner;
    std::vector<int64_t> units;
    std::vector<Named> directions;
    std::vector<TensorInfo> infos;
};

namespace {

void say(Failure* failure, Code code, const char* message) noexcept {
    failure->code = code;
    // The first line: further ones are a trace of C++ functions.
    size_t length = std::min(std::strcspn(message, "\n"), sizeof(failure->message) - 1);
    std::memcpy(failure->message, message, length);
    failure->message[length] = 0;
}

// Calls `body` without gradients; false if it threw, and then `failure` says what.
template <typename Body>
bool guarded(Failure* failure, Body&& body) noexcept {
    try {
        at::NoGradGuard guard;
        body();
        return true;
    } catch (const Unsupported& error) {
        say(failure, unsupported, error.what());
    } catch (const NonFinite& error) {
        say(failure, non_finite, error.what());
    } catch (const c10::Error& error) {
        say(failure, other, error.what_without_backtrace());
    } catch (const std::exception& error) {
        say(failure, other, error.what());
    } catch (...) {
        say(failure, other, "something that is no std::exception was thrown");
    }
    return false;
}

// Copies of the caller's memory, so that a rule may keep or change what it is given.
Tensor inputs_of(const Handle& handle, const float* inputs, int64_t samples) {
    return at::from_blob(const_cast<float*>(inputs), {samples, handle.units.front()}, at::kFloat).clone();
}

Tensor labels_of(const int64_t* labels, int64_t samples) {
    return at::from_blob(const_cast<int64_t*>(labels), {samples}, at::kLong).clone();
}

void list(Handle& handle, const std::vector<Named>& tensors, const TensorInfo** out, size_t* count) {
    handle.infos.clear();
    for (const Named& named : tensors) {
        const Tensor& tensor = named.tensor;
        TORCH_CHECK(tensor.is_contiguous() && (tensor.dtype() == at::kFloat || tensor.dtype() == at::kLong),
                    "the tensor ", named.name, " is not contiguous, or neither float32 nor int64");
        handle.infos.push_back({named.name.c_str(), tensor.sizes().data(), tensor.sizes().size(),
                                tensor.data_ptr(), tensor.nbytes(), tensor.dtype() == at::kLong});
    }
    *out = handle.infos.data();
    *count = handle.infos.size();
}

}  // namespace

extern "C" {

// Everything that users see of the rule; it lives as long as the process.
bool rule_describe(RuleInfo* out, Failure* failure) noexcept {
    return guarded(failure, [&] {
        const std::vector<Setting>& settings = all_settings();
        *out = {description().summary, description().reference, settings.data(), settings.size()};
    });
}

// `units` are the n_0, …, n_L of `count` layers with the inputs; `values` those of the settings, in their order.
bool rule_create(const int64_t* units, size_t count, uint64_t seed, int threads, const double* values,
                 size_t settings, bool backpropagation, Handle** out, Failure* failure) noexcept {
    return guarded(failure, [&] {
        std::vector<int64_t> sizes(units, units + count);
        const Settings given(all_settings(), std::vector<double>(values, values + settings));
        Learner learner(sizes, seed, threads, given, backpropagation);
        *out = new Handle{std::move(learner), std::move(sizes), {}, {}};
    });
}

// `inputs` are samples · n_0 values, `labels` are samples classes below n_L.
bool rule_step(Handle* handle, const float* inputs, const int64_t* labels, int64_t samples, double* loss,
               Failure* failure) noexcept {
    return guarded(failure, [&] {
        *loss = handle->learner.step(inputs_of(*handle, inputs, samples), labels_of(labels, samples));
    });
}

// Writes samples · n_L values.
bool rule_predict(const Handle* handle, const float* inputs, int64_t samples, float* outputs,
                  Failure* failure) noexcept {
    return guarded(failure, [&] {
        const Tensor logits = handle->learner.predict(inputs_of(*handle, inputs, samples));
        at::from_blob(outputs, {samples, handle->units.back()}, at::kFloat).copy_(logits);
    });
}

// The list and what it points to are valid until the next call with the same handle.
bool rule_directions(Handle* handle, const float* inputs, const int64_t* labels, int64_t samples,
                     const TensorInfo** out, size_t* count, Failure* failure) noexcept {
    return guarded(failure, [&] {
        handle->directions =
            handle->learner.directions(inputs_of(*handle, inputs, samples), labels_of(labels, samples));
        list(*handle, handle->directions, out, count);
    });
}

// The learner's own tensors, always in the same order: what is written to them is restored. Valid until the
// next call with the same handle.
bool rule_state(Handle* handle, const TensorInfo** out, size_t* count, Failure* failure) noexcept {
    return guarded(failure, [&] { list(*handle, handle->learner.state(), out, count); });
}

void rule_destroy(Handle* handle) noexcept { delete handle; }
}
