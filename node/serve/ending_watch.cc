#include "node/serve/ending_watch.h"

#include <unistd.h>

#include "node/cli/commands.h"
#include "node/config/log.h"

namespace shoal {
namespace {

// The line is written by another thread.
constexpr auto kLogTime = std::chrono::milliseconds(200);

}  // namespace

EndingWatch::EndingWatch(std::chrono::milliseconds time, Log& log) {
  thread_ = std::thread([this, time, &log] {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, time, [this] { return has_ended_; })) return;
    log(LogLevel::kError,
        "does not end by itself, as something waits for a disk: it ends as if killed");
    std::this_thread::sleep_for(kLogTime);
    ::_exit(kCannotRun);
  });
}

EndingWatch::~EndingWatch() {
  {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

}  // namespace shoal
