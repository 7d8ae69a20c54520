#include "napi/promise_worker.h"

#include <exception>
#include <new>

namespace nibble {
namespace {

const char* code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kArgument:
      return "ERR_ARGUMENT";
    case ErrorCode::kFormat:
      return "ERR_FORMAT";
    case ErrorCode::kUnsupported:
      return "ERR_UNSUPPORTED";
    case ErrorCode::kIo:
      return "ERR_IO";
    case ErrorCode::kAborted:
      return "ERR_ABORTED";
    case ErrorCode::kInternal:
      break;
  }
  return "ERR_INTERNAL";
}

// Cancels the job when its environment ends (a worker thread that is terminated): Node waits for
// it, so it must be short.
void cancel_at_exit(void* job) { static_cast<Job*>(job)->cancel(); }

Napi::Value progress_of(const Napi::CallbackInfo& info, Job& job) {
  Napi::Object progress = Napi::Object::New(info.Env());
  progress.Set("done", static_cast<double>(job.done()));
  const std::vector<int64_t> finished = job.take_finished();
  Napi::Array list = Napi::Array::New(info.Env(), finished.size());
  for (size_t i = 0; i < finished.size(); ++i) {
    list.Set(static_cast<uint32_t>(i), static_cast<double>(finished[i]));
  }
  progress.Set("finished", list);
  return progress;
}

}  // namespace

Napi::Value to_js_error(Napi::Env env, const Error& error) {
  Napi::Object value = Napi::Error::New(env, error.what()).Value();
  value.Set("code", code_name(error.code));
  Napi::Object details = Napi::Object::New(env);
  if (!error.path.empty()) details.Set("path", error.path);
  if (!error.errno_name.empty()) details.Set("errno", error.errno_name);
  if (error.offset >= 0) details.Set("offset", static_cast<double>(error.offset));
  if (!error.option.empty()) details.Set("option", error.option);
  value.Set("details", details);
  return value;
}

PromiseWorker::PromiseWorker(Napi::Env env)
    : Napi::AsyncWorker(env),
      deferred_(Napi::Promise::Deferred::New(env)),
      job_(std::make_shared<Job>()) {}

Napi::Object PromiseWorker::start(PromiseWorker* worker) {
  Napi::Env env = worker->Env();
  const std::shared_ptr<Job> job = worker->job_;
  Napi::Object handle = Napi::Object::New(env);
  handle.Set("promise", worker->deferred_.Promise());
  handle.Set("cancel",
             Napi::Function::New(env, [job](const Napi::CallbackInfo&) { job->cancel(); }));
  handle.Set("progress", Napi::Function::New(env, [job](const Napi::CallbackInfo& info) {
               return progress_of(info, *job);
             }));
  napi_add_env_cleanup_hook(env, cancel_at_exit, job.get());
  worker->Queue();
  return handle;
}

void PromiseWorker::Execute() {
  try {
    run(*job_);
  } catch (const Error& error) {
    failure_ = std::make_unique<Error>(error);
  } catch (const std::bad_alloc&) {
    failure_ = std::make_unique<Error>(ErrorCode::kInternal, "out of memory");
  } catch (const std::exception& error) {
    failure_ = std::make_unique<Error>(ErrorCode::kInternal, error.what());
  }
}

void PromiseWorker::OnOK() {
  napi_remove_env_cleanup_hook(Env(), cancel_at_exit, job_.get());
  try {
    if (failure_) {
      deferred_.Reject(to_js_error(Env(), *failure_));
    } else {
      deferred_.Resolve(result(Env()));
    }
  } catch (const Napi::Error& error) {
    reject_if_possible(error);
  }
}

void PromiseWorker::reject_if_possible(const Napi::Error& error) {
  try {
    deferred_.Reject(error.Value());
  } catch (const Napi::Error&) {
    // The environment is ending (a worker thread that was terminated): no JS may run in it any
    // more, and nobody waits for the promise.
  }
}

}  // namespace nibble
