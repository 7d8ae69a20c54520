#include <napi.h>

#include <utility>
#include <vector>

#include "napi/args.h"
#include "napi/bind.h"
#include "napi/promise_worker.h"
#include "stream/compare_stream.h"
#include "stream/quantize_stream.h"

namespace nibble {
namespace {

class QuantizeStreamWorker final : public PromiseWorker {
 public:
  QuantizeStreamWorker(Napi::Env env, StreamOptions options)
      : PromiseWorker(env), options_(std::move(options)) {}

 private:
  void run(Job& job) override { totals_ = quantize_stream(options_, job); }

  Napi::Value result(Napi::Env env) override {
    Napi::Object totals = Napi::Object::New(env);
    totals.Set("bytesRead", static_cast<double>(totals_.bytes_read));
    totals.Set("bytesWritten", static_cast<double>(totals_.bytes_written));
    return totals;
  }

  const StreamOptions options_;
  StreamTotals totals_ = {0, 0};
};

class CompareStreamWorker final : public PromiseWorker {
 public:
  CompareStreamWorker(Napi::Env env, StreamOptions options)
      : PromiseWorker(env), options_(std::move(options)) {}

 private:
  void run(Job& job) override { stats_ = compare_stream(options_, job); }

  Napi::Value result(Napi::Env env) override {
    Napi::Array list = Napi::Array::New(env, stats_.size());
    for (size_t i = 0; i < stats_.size(); ++i) {
      const Napi::HandleScope scope(env);
      Napi::Object row = Napi::Object::New(env);
      row.Set("nonFinite", static_cast<double>(stats_[i].non_finite));
      row.Set("invalidBlocks", static_cast<double>(stats_[i].invalid_blocks));
      row.Set("maxAbsError", stats_[i].max_abs_error);
      row.Set("sumSquaredError", stats_[i].sum_squared_error);
      row.Set("sumSquares", stats_[i].sum_squares);
      list.Set(static_cast<uint32_t>(i), row);
    }
    return list;
  }

  const StreamOptions options_;
  std::vector<ErrorStats> stats_;
};

}  // namespace

Napi::Value js_quantize_stream(const Napi::CallbackInfo& info) {
  return PromiseWorker::start(new QuantizeStreamWorker(info.Env(), stream_options_arg(info[0])));
}

Napi::Value js_compare_stream(const Napi::CallbackInfo& info) {
  return PromiseWorker::start(new CompareStreamWorker(info.Env(), stream_options_arg(info[0])));
}

}  // namespace nibble
