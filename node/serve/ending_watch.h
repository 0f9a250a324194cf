// A node that is told to end must be gone by a certain time, whatever its disks do: a sync that neither
// succeeds nor fails would hold it for ever, and whoever stops it would have to guess why.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace shoal {

class Log;

// From its making on the process has `time` to end; then it ends as if killed, which loses nothing that
// was acknowledged. Until this goes.
class EndingWatch {
 public:
  EndingWatch(std::chrono::milliseconds time, Log& log);
  ~EndingWatch();
  EndingWatch(const EndingWatch&) = delete;
  EndingWatch& operator=(const EndingWatch&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool has_ended_ = false;
  std::thread thread_;
};

}  // namespace shoal
