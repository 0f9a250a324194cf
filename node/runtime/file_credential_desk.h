// Checks what clients say of themselves against CredentialFiles. What needs a password verified waits
// for a small pool of threads: that takes ten milliseconds and 19 MiB each, and would stop a worker.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "node/runtime/credential_files.h"
#include "node/runtime/worker.h"

namespace shoal {

class FileCredentialDesk final : public CredentialDesk {
 public:
  // Checks that wait; one more is answered with kUnavailable, so that a storm of clients gets an
  // answer while it still waits for one.
  static constexpr size_t kWaitingMax = 4096;

  FileCredentialDesk(CredentialFiles files, int threads);
  ~FileCredentialDesk() override;  // before the workers

  std::optional<CredentialAnswer> check(CredentialCheck&& check, Worker& asker) override;

  void renew_rights(Worker& worker) override;

  // Any thread.
  void replace(CredentialFiles files);
  std::shared_ptr<const CredentialFiles> files() const;
  size_t waiting_count() const;

 private:
  struct Job {
    CredentialCheck check;
    Worker* asker = nullptr;
  };

  void run();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const CredentialFiles> files_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// Gives the connected clients of a worker the rights that `files` have for them, and closes those who
// may not be here any more. On the worker's thread.
void apply_rights(const CredentialFiles& files, Worker& worker);

}  // namespace shoal
