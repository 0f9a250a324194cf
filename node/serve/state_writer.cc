#include "node/serve/state_writer.h"

#include <chrono>
#include <utility>

#include "node/serve/state_file.h"

namespace shoal {

StateWriter::StateWriter(const DataDir& dir, Log& log, std::function<void(uint64_t)> written)
    : dir_(dir), log_(log), written_(std::move(written)), thread_([this] { run(); }) {}

StateWriter::~StateWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void StateWriter::write(uint64_t token, StoredState state) {
  {
    const std::lock_guard lock(mutex_);
    tokens_.push_back(token);
    state_ = std::move(state);
  }
  changed_.notify_all();
}

void StateWriter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || state_.has_value(); });
    if (stopping_) return;
    const StoredState state = *std::exchange(state_, std::nullopt);
    const std::vector<uint64_t> tokens = std::exchange(tokens_, {});
    lock.unlock();
    const auto error = dir_.replace(kFile, state_text_of(state));
    if (error) log_(LogLevel::kError, "cannot store the node's state", {{"error", *error}});
    if (!error) {
      for (const uint64_t token : tokens) written_(token);
    }
    lock.lock();
    if (!error) continue;
    tokens_.insert(tokens_.begin(), tokens.begin(), tokens.end());
    if (!state_) state_ = state;
    changed_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; });
  }
}

}  // namespace shoal
