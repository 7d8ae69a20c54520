#pragma once

#include <napi.h>

#include <memory>

#include "base/error.h"
#include "base/job.h"

// A job on a libuv thread, and the JS object {promise, cancel(), progress()} that stands for it.
// Every exception of the job is caught here once and becomes a rejection with code, message and
// details.
namespace nibble {

// The rejection's value: an Error with `code` (ERR_...), `details` and the message.
Napi::Value to_js_error(Napi::Env env, const Error& error);

class PromiseWorker : public Napi::AsyncWorker {
 public:
  // Starts `worker`, which deletes itself when it is done, and gives its JS object.
  static Napi::Object start(PromiseWorker* worker);

 protected:
  explicit PromiseWorker(Napi::Env env);

  // On the libuv thread: may throw Error or anything of std.
  virtual void run(Job& job) = 0;
  // On the JS thread, after run() has returned.
  virtual Napi::Value result(Napi::Env env) = 0;

 private:
  void Execute() final;
  void OnOK() final;
  void reject_if_possible(const Napi::Error& error);

  Napi::Promise::Deferred deferred_;
  const std::shared_ptr<Job> job_;
  std::unique_ptr<Error> failure_;
};

}  // namespace nibble
