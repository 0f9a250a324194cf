// Turns HOST:PORT into an address to dial, off the caller's thread: a name server may take seconds.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include <absl/status/statusor.h>

namespace shoal {

class NameResolver {
 public:
  // ADDRESS:PORT as gRPC takes it, or why there is none.
  using Done = std::function<void(absl::StatusOr<std::string>)>;

  NameResolver() : thread_([this] { run(); }) {}
  ~NameResolver();  // drops what was not begun

  // `done` is called on the resolver's thread. Of a name with several addresses each call takes the
  // next.
  void resolve(std::string host_port, Done done);

 private:
  struct Job {
    std::string host_port;
    Done done;
  };

  void run();
  absl::StatusOr<std::string> look_up(const std::string& host_port);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::deque<Job> jobs_;
  std::map<std::string, size_t> turns_;  // of the resolver's thread: how often a name was asked for
  std::thread thread_;
};

}  // namespace shoal
