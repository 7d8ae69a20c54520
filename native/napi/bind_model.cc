#include <napi.h>

#include <atomic>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "eval/importance.h"
#include "eval/log_probability.h"
#include "eval/throughput.h"
#include "model/context.h"
#include "napi/bind.h"
#include "napi/model_args.h"
#include "napi/promise_worker.h"

namespace nibble {
namespace {

// A context and who observes it; JS holds it, and every job that runs on it.
struct ContextState {
  ContextState(std::shared_ptr<const Model> model, const ContextOptions& options)
      : context(std::move(model), options) {}

  Context context;
  std::unique_ptr<ImportanceCollector> importance;
  std::atomic<bool> busy{false};
};

using ContextRef = std::shared_ptr<ContextState>;

// A reference that dispose() takes away; what still runs keeps its own.
template <typename T>
using Holder = std::shared_ptr<std::shared_ptr<T>>;

template <typename T>
std::shared_ptr<T> held(const Holder<T>& holder) {
  if (*holder == nullptr) throw Error(ErrorCode::kInternal, "used after dispose()");
  return *holder;
}

// Adds a method that sees the holder; errors get their code as in other calls.
template <typename T, typename Body>
void add_method(Napi::Object object, const char* name, const Holder<T>& holder, const Body& body) {
  const auto call = [holder, body](const Napi::CallbackInfo& info) -> Napi::Value {
    try {
      return body(info, held(holder));
    } catch (const Error& error) {
      throw Napi::Error(info.Env(), to_js_error(info.Env(), error));
    }
  };
  object.Set(name, Napi::Function::New(object.Env(), call, name));
}

template <typename T>
void add_dispose(Napi::Object object, const Holder<T>& holder) {
  const auto dispose = [holder](const Napi::CallbackInfo&) { holder->reset(); };
  object.Set("dispose", Napi::Function::New(object.Env(), dispose, "dispose"));
}

template <typename Array, typename T>
Napi::Value to_array(Napi::Env env, const std::vector<T>& values) {
  Array array = Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

// A job on a context. Two at once would be a bug of the caller.
class ContextWorker : public PromiseWorker {
 protected:
  ContextWorker(Napi::Env env, ContextRef state) : PromiseWorker(env), state_(std::move(state)) {
    if (state_->busy.exchange(true))
      throw Error(ErrorCode::kInternal, "a context does one thing at a time");
  }

  Context& context() { return state_->context; }

  // On the libuv thread, when the work is over: JS may start the next job as soon as it knows.
  void run(Job& job) final {
    struct Done {
      std::atomic<bool>& busy;
      ~Done() { busy = false; }
    } done{state_->busy};
    work(job);
  }
  virtual void work(Job& job) = 0;

 private:
  const ContextRef state_;
};

class EvaluateWorker final : public ContextWorker {
 public:
  EvaluateWorker(Napi::Env env, ContextRef state, std::vector<int32_t> tokens, int64_t keep,
                 bool wants_logits)
      : ContextWorker(env, std::move(state)),
        tokens_(std::move(tokens)),
        keep_(keep),
        wants_logits_(wants_logits) {}

 private:
  void work(Job& job) override {
    context().evaluate(tokens_, keep_, job);
    if (!wants_logits_) return;
    logits_.resize(static_cast<size_t>(context().model().config.vocabulary));
    context().logits(context().kept() - 1, 1, logits_.data());
  }
  Napi::Value result(Napi::Env env) override { return to_array<Napi::Float32Array>(env, logits_); }

  const std::vector<int32_t> tokens_;
  const int64_t keep_;
  const bool wants_logits_;
  std::vector<float> logits_;
};

class LogitsWorker final : public ContextWorker {
 public:
  LogitsWorker(Napi::Env env, ContextRef state, int64_t first, int64_t count)
      : ContextWorker(env, std::move(state)), first_(first), count_(count) {}

 private:
  void work(Job&) override {
    logits_.resize(static_cast<size_t>(count_ * context().model().config.vocabulary));
    context().logits(first_, count_, logits_.data());
  }
  Napi::Value result(Napi::Env env) override { return to_array<Napi::Float32Array>(env, logits_); }

  const int64_t first_;
  const int64_t count_;
  std::vector<float> logits_;
};

class LogProbabilityWorker final : public ContextWorker {
 public:
  LogProbabilityWorker(Napi::Env env, ContextRef state, int64_t first, std::vector<int32_t> targets)
      : ContextWorker(env, std::move(state)), first_(first), targets_(std::move(targets)) {}

 private:
  void work(Job& job) override { logs_ = log_probabilities(context(), first_, targets_, job); }
  Napi::Value result(Napi::Env env) override { return to_array<Napi::Float64Array>(env, logs_); }

  const int64_t first_;
  const std::vector<int32_t> targets_;
  std::vector<double> logs_;
};

Napi::Value to_js_importance(Napi::Env env, const ContextState& state) {
  Napi::Array list = Napi::Array::New(env);
  if (state.importance == nullptr) return list;
  for (const auto& [name, sums] : state.importance->sums()) {
    const Napi::HandleScope scope(env);
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", name);
    const std::vector<double> rows(sums.rows.begin(), sums.rows.end());
    row.Set("rows", to_array<Napi::Float64Array>(env, rows));
    row.Set("sumsOfSquares", to_array<Napi::Float64Array>(env, sums.squares));
    row.Set("sums", to_array<Napi::Float64Array>(env, sums.values));
    list.Set(list.Length(), row);
  }
  return list;
}

Napi::Object to_js_context(Napi::Env env, ContextRef state) {
  const auto holder = std::make_shared<ContextRef>(std::move(state));
  Napi::Object object = Napi::Object::New(env);
  add_method(object, "evaluate", holder,
             [](const Napi::CallbackInfo& info, const ContextRef& ref) -> Napi::Value {
               return PromiseWorker::start(new EvaluateWorker(info.Env(), ref, tokens_arg(info[0]),
                                                              integer_arg(info[1]),
                                                              info[2].As<Napi::Boolean>()));
             });
  add_method(object, "logits", holder,
             [](const Napi::CallbackInfo& info, const ContextRef& ref) -> Napi::Value {
               return PromiseWorker::start(
                   new LogitsWorker(info.Env(), ref, integer_arg(info[0]), integer_arg(info[1])));
             });
  add_method(object, "logProbabilities", holder,
             [](const Napi::CallbackInfo& info, const ContextRef& ref) -> Napi::Value {
               return PromiseWorker::start(new LogProbabilityWorker(
                   info.Env(), ref, integer_arg(info[0]), tokens_arg(info[1])));
             });
  add_method(object, "truncate", holder,
             [](const Napi::CallbackInfo& info, const ContextRef& ref) -> Napi::Value {
               ref->context.truncate(integer_arg(info[0]));
               return info.Env().Undefined();
             });
  add_method(object, "collectImportance", holder,
             [](const Napi::CallbackInfo& info, const ContextRef& ref) -> Napi::Value {
               ref->importance = std::make_unique<ImportanceCollector>();
               ref->context.observe(ref->importance.get());
               return info.Env().Undefined();
             });
  add_method(object, "importance", holder,
             [](const Napi::CallbackInfo& info, const ContextRef& ref) -> Napi::Value {
               return to_js_importance(info.Env(), *ref);
             });
  add_dispose(object, holder);
  return object;
}

// Making a cache touches all of its memory: not on the JS thread.
class CreateContextWorker final : public PromiseWorker {
 public:
  CreateContextWorker(Napi::Env env, std::shared_ptr<const Model> model, ContextOptions options)
      : PromiseWorker(env), model_(std::move(model)), options_(options) {}

 private:
  void run(Job&) override {
    try {
      state_ = std::make_shared<ContextState>(model_, options_);
      return;
    } catch (const std::bad_alloc&) {
    } catch (const std::length_error&) {
    }
    Error error(ErrorCode::kArgument, "contextLength: expected one that fits into memory, got " +
                                          std::to_string(options_.capacity) +
                                          " tokens; choose a shorter one, or --cache-type Q8_0");
    error.option = "contextLength";
    throw error;
  }
  Napi::Value result(Napi::Env env) override { return to_js_context(env, std::move(state_)); }

  const std::shared_ptr<const Model> model_;
  const ContextOptions options_;
  ContextRef state_;
};

class MachineWorker final : public PromiseWorker {
 public:
  MachineWorker(Napi::Env env, int threads) : PromiseWorker(env), threads_(threads) {}

 private:
  void run(Job& job) override { limits_ = measure_machine(threads_, job); }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("readBytes", limits_.read_bytes);
    object.Set("copyBytes", limits_.copy_bytes);
    object.Set("int8Operations", limits_.int8_operations);
    object.Set("f32Operations", limits_.f32_operations);
    return object;
  }

  const int threads_;
  MachineLimits limits_ = {};
};

}  // namespace

Napi::Value js_measure_machine(const Napi::CallbackInfo& info) {
  return PromiseWorker::start(
      new MachineWorker(info.Env(), static_cast<int>(integer_arg(info[0]))));
}

Napi::Value js_load_model(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = info[0].As<Napi::Object>();
  using ModelRef = std::shared_ptr<const Model>;
  const auto holder = std::make_shared<ModelRef>(
      std::make_shared<Model>(model_config_arg(options), model_files_arg(options)));
  Napi::Object object = Napi::Object::New(env);
  add_method(object, "createContext", holder,
             [](const Napi::CallbackInfo& call, const ModelRef& model) -> Napi::Value {
               return PromiseWorker::start(
                   new CreateContextWorker(call.Env(), model, context_options_arg(call[0])));
             });
  add_dispose(object, holder);
  return object;
}

}  // namespace nibble
